"""Debian's Prometheus as scraper and sender, as reader, and promtool at our door."""

import json
import subprocess
import time

from bed import Prometheus, fetch, free_port, until
from compare import differences
from queries import QUERIES

SCRAPES = 12

CONFIGURATION = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["{node}"]}}]
  - job_name: itself
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
remote_write:
  - url: {ours}/api/v1/write
    send_exemplars: true
    metadata_config: {{send_interval: 1s}}
    queue_config: {{batch_send_deadline: 200ms, capacity: 20000}}
remote_read:
  - url: {ours}/api/v1/read
    read_recent: true
    required_matchers: {{kept: "here"}}
"""


def run(bed, ours, node, note):
    port = free_port()
    configuration = CONFIGURATION.format(node=node, port=port, ours=ours.url)
    bed.start("prometheus", [
        "prometheus", "--config.file", bed.write("prometheus.yml", configuration),
        "--storage.tsdb.path", bed.path("prometheus"),
        "--web.listen-address", f"127.0.0.1:{port}",
    ])
    theirs = Prometheus(f"http://127.0.0.1:{port}")
    at = shared_moment(ours, theirs)
    compare_answers(ours, theirs, at, note)
    compare_names(ours, theirs, note)
    read_back(ours, theirs, note)
    ask_with_promtool(ours, at, note)
    families = ours.ask("metadata", metric="node_load1")
    note("metadata of remote write is kept", families["node_load1"][0]["type"] == "gauge", families)


def shared_moment(ours, theirs):
    """A time half a scrape behind a sample of either target, up to which we have everything."""
    theirs.wait_for_scrapes(("node", "itself"), SCRAPES)

    def newest(side):
        samples = side.ask("query", query='up[10s]')["result"]
        return {s["metric"]["job"]: s["values"][-1][0] for s in samples}

    wanted = newest(theirs)
    until("what was scraped has arrived", lambda: all(
        newest(ours).get(job, 0) >= when for job, when in wanted.items()))
    # The two targets are scraped at their own fractions of a second: a moment far from both.
    fractions = sorted(when % 1 for when in wanted.values())
    gaps = zip(fractions, fractions[1:] + [fractions[0] + 1])
    low, high = max(gaps, key=lambda gap: gap[1] - gap[0])
    return int(min(wanted.values())) - 2 + round((low + high) / 2, 3) % 1


def compare_answers(ours, theirs, at, note):
    for query in QUERIES:
        answer = theirs.instant(query, at)
        found = differences(query, answer, ours.instant(query, at))
        note(f"the same at one time: {query}", not found, found[:3])
        note(f"there is something to compare: {query}", answer["result"], answer)
        bounds = (at - 4, at, 1)
        found = differences(query, theirs.range(query, *bounds), ours.range(query, *bounds))
        note(f"the same over a range: {query}", not found, found[:3])


def compare_names(ours, theirs, note):
    for path in ("labels", "label/__name__/values", "label/mode/values"):
        one, two = theirs.ask(path), ours.ask(path)
        missing = set(one) - set(two)
        note(f"every name of {path}", not missing, sorted(missing)[:5])
    selector = {"match[]": 'node_cpu_seconds_total{mode="idle"}'}
    one, two = theirs.ask("series", **selector), ours.ask("series", **selector)
    key = lambda series: sorted(series.items())
    note("the same series", sorted(one, key=key) == sorted(two, key=key), (one[:1], two[:1]))


def read_back(ours, theirs, note):
    """A series that only we have, asked of Prometheus: it reads it from us."""
    now = int(time.time() * 1000)
    lines = "".join(f'only_here{{kept="here"}} {n} {now - (5 - n) * 1000}\n' for n in range(5))
    fetch(ours.url + "/api/v1/import/prometheus", lines.encode())
    before = ours.read_forms()
    query = 'sum_over_time(only_here{kept="here"}[1m])'
    found = theirs.ask("query", query=query)["result"]
    note("Prometheus reads back through remote read", [s["value"][1] for s in found] == ["10"], found)
    # Prometheus 2.42 accepts samples only; later ones name streamed chunks first.
    after = ours.read_forms()
    grown = {form: after[form] - before[form] for form in after}
    note("it was answered with samples", grown["samples"] > 0 and grown["chunks"] == 0, grown)


def ask_with_promtool(ours, at, note):
    def promtool(*arguments):
        command = ["promtool", "query", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout if done.returncode == 0 else "failed: " + done.stderr

    said = promtool("instant", "--time", f"{at:.3f}", ours.url, 'up{job="node"}')
    note("promtool query instant", 'job="node"' in said and "=> 1 @" in said, said)
    bounds = ("--start", str(int(at) - 3), "--end", str(int(at)), "--step", "1s")
    said = promtool("range", *bounds, "-o", "json", ours.url, "up")
    note("promtool query range", said.startswith("[") and len(json.loads(said)) == 2, said)
    said = promtool("series", "--match", "node_load1", ours.url)
    note("promtool query series", "node_load1" in said, said)
    said = promtool("labels", ours.url, "job")
    note("promtool query labels", {"node", "itself"} <= set(said.split()), said)
