"""In and out of Debian's Prometheus and VictoriaMetrics: a data directory imported, our export served,
promtool's word for the blocks that we write, and lines there and back."""

import os
import subprocess
import time

from bed import Prometheus, fetch, free_port, until
import victoria
from compare import differences

SCRAPES = 8
QUERIES = (
    "up",
    "count({__name__=~'.+'})",
    "count({__name__=~'.+'} <= Inf)",
    "sum by (mode) (rate(node_cpu_seconds_total[4s]))",
    "histogram_quantile(0.9, rate(prometheus_http_request_duration_seconds_bucket[4s]))",
    "sum by (mode) (count_over_time(node_cpu_seconds_total[4s]))",
)
CONFIGURATION = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["{node}"]}}]
  - job_name: itself
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def run(bed, program, node, note):
    program = os.path.abspath(program)
    theirs, asked = scrape(bed, node)
    tsdb, blocks, data = (bed.path(name) for name in ("scraped", "blocks", "imported"))
    said = call(program, "import", "prometheus", tsdb, "--data", data)
    note("a data directory of Prometheus is imported whole", said[0] == 0, said)
    served = bed.chronolith_on(program, data)
    compare("imported", theirs, answers(served, asked), note)
    remote = bed.path("remote")
    said = call(program, "export", "prometheus", blocks, "--data", data)
    note("blocks are exported", said[0] == 0, said)
    os.mkdir(os.path.join(blocks, "wal"))
    ask_promtool(tsdb, blocks, note)
    reader = prometheus_on(bed, "reader", blocks, "global: {}\n")
    compare("exported", theirs, answers(reader, asked), note)
    start, end = asked - 60, asked + 1
    said = call(program, "import", "remote-read", reader.url, "--data", remote,
                "--start", str(start), "--end", str(end), "--window", "20s")
    note("remote read brings what Prometheus has", said[0] == 0, said)
    compare("remotely read", theirs, answers(bed.chronolith_on(program, remote), asked), note)
    returned = victoria.run(bed, program, data, note)
    ours = answers(bed.chronolith_on(program, returned), asked)
    # In those lines a series of NaN alone is one that has ended: the query that counts them is left out.
    numbers = [place for place, query in enumerate(QUERIES) if query != "count({__name__=~'.+'})"]
    compare("through VictoriaMetrics", [theirs[place] for place in numbers],
            [ours[place] for place in numbers], note, [QUERIES[place] for place in numbers])


def scrape(bed, node):
    """A Prometheus that has scraped for a while and was stopped, what it answered, and when."""
    port = free_port()
    configuration = CONFIGURATION.format(node=node, port=port)
    theirs = prometheus_on(bed, "scraped", bed.path("scraped"), configuration, port)
    theirs.wait_for_scrapes(("node", "itself"), SCRAPES)
    asked = int(time.time()) - 1
    found = answers(theirs, asked)
    bed.stop("prometheus-scraped")
    return found, asked


def prometheus_on(bed, name, folder, configuration, port=None):
    port = port or free_port()
    bed.start(f"prometheus-{name}", [
        "prometheus", "--config.file", bed.write(f"{name}.yml", configuration),
        "--storage.tsdb.path", folder, "--storage.tsdb.retention.time", "10y",
        "--web.listen-address", f"127.0.0.1:{port}",
    ])
    url = f"http://127.0.0.1:{port}"
    until(f"Prometheus {name} is ready", lambda: fetch(url + "/-/ready"))
    return Prometheus(url)


def answers(side, asked):
    return [(side.instant(query, asked), side.range(query, asked - 5, asked, 1))
            for query in QUERIES]


def compare(what, theirs, ours, note, queries=QUERIES):
    for query, (one, one_range), (two, two_range) in zip(queries, theirs, ours):
        found = differences(query, one, two) + differences(query, one_range, two_range)
        note(f"{what}: the same answer to {query}", not found, found[:3])
        note(f"{what}: there is something to compare: {query}", one["result"], one)


def ask_promtool(tsdb, blocks, note):
    code, said = call("promtool", "tsdb", "list", blocks)
    note("promtool tsdb list", code == 0 and "BLOCK ULID" in said, said)
    code, said = call("promtool", "tsdb", "analyze", blocks)
    note("promtool tsdb analyze", code == 0 and "Total Series" in said or "Series:" in said, said)
    dumps = [call("promtool", "tsdb", "dump", folder) for folder in (tsdb, blocks)]
    one, two = (sorted(said.splitlines()) for _, said in dumps)
    note("promtool tsdb dump gives every sample as it was", len(one) > 1000 and one == two,
         (len(one), len(two)))


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + (done.stderr if done.returncode else "")
