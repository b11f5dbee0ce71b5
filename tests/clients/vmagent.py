"""vmagent as scraper and sender."""

from bed import free_port, until

CONFIGURATION = """
global: {{scrape_interval: 1s, external_labels: {{agent: vmagent}}}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["{node}"]}}]
"""


def run(bed, ours, node, note):
    bed.start("vmagent", [
        "vmagent", f"-promscrape.config={bed.write('vmagent.yml', CONFIGURATION.format(node=node))}",
        f"-remoteWrite.url={ours.url}/api/v1/write", "-remoteWrite.flushInterval=200ms",
        f"-remoteWrite.tmpDataPath={bed.path('vmagent')}",
        f"-httpListenAddr=127.0.0.1:{free_port()}",
    ])
    until("vmagent has sent some scrapes",
          lambda: (ours.number('count_over_time(up{agent="vmagent"}[1m])') or 0) >= 3)
    machine = ours.ask("query", query='node_uname_info{agent="vmagent"}')["result"]
    note("vmagent's series are there with its labels", len(machine) == 1, machine)
    count = ours.number('count({agent="vmagent", __name__=~"node_.+"})') or 0
    note("vmagent sends all of a node_exporter", count > 200, count)
