"""Exports as Parquet, read by DuckDB: every value, time and label as it was sent."""

import json
import os
import shlex
import subprocess
import time
import urllib.request

import victoria
from bed import fetch

# Enough for more than one group of rows.
SAMPLES = 140_000
SERIES = 7
LINES = 500

# What DuckDB is asked, in the interpreter that has it.
READER = """
import duckdb, json, sys
samples, lines = sys.argv[1:]
ask = lambda query: duckdb.sql(query).fetchall()
print(json.dumps({
    "types": ask(f"select column_name, column_type from (describe from '{samples}')"),
    "line types": ask(f"select column_name, column_type from (describe from '{lines}')"),
    "groups": ask(f"select count(distinct row_group_id) from parquet_metadata('{samples}')")[0][0],
    "samples": ask(f'''select epoch_ms("timestamp"), metric, labels['series'],
        cast(value as varchar), cardinality(labels) from '{samples}' '''),
    "lines": ask(f'''select epoch_ns("timestamp"), line, labels['app'], metadata['trace']
        from '{lines}' order by 1'''),
}))
"""

MAP = "MAP(VARCHAR, VARCHAR)"
TYPES = [["timestamp", "TIMESTAMP WITH TIME ZONE"], ["metric", "VARCHAR"], ["labels", MAP],
         ["value", "DOUBLE"]]


def run(bed, program, interpreter, note):
    data = bed.path("tabled")
    samples, lines = fill(bed, program, data)
    files = [bed.path(name) for name in ("samples.parquet", "lines.parquet")]
    for kind, file in zip(("parquet", "log-parquet"), files):
        done = subprocess.run([os.path.abspath(program), "export", kind, file, "--data", data],
                              capture_output=True, text=True, timeout=120, check=False)
        note(f"export {kind}", done.returncode == 0, done.stderr)
    done = subprocess.run([interpreter, "-c", READER, *files], capture_output=True, text=True,
                          timeout=120, check=False)
    note("DuckDB reads both", done.returncode == 0, done.stderr[-400:])
    read = json.loads(done.stdout)
    ask_as_shown(interpreter, bed.path(""), note)
    note("samples have the columns of the documentation", read["types"] == TYPES, read["types"])
    note("lines have theirs", [name for name, _ in read["line types"]] ==
         ["timestamp", "line", "labels", "metadata"], read["line types"])
    note("many rows are in several groups", read["groups"] > 1, read["groups"])
    found = {(at, metric, series, float(value)) for at, metric, series, value, _ in read["samples"]}
    note("every sample is there, once and exactly",
         len(read["samples"]) == SAMPLES and found == samples, sorted(found ^ samples)[:3])
    note("the name is no label", {row[4] for row in read["samples"]} == {1}, read["samples"][0])
    note("every line is there, once and exactly", read["lines"] == lines,
         [pair for pair in zip(read["lines"], lines) if pair[0] != pair[1]][:3])


def ask_as_shown(interpreter, folder, note):
    """Asks what the page on moving in and out shows: its file is called as ours is."""
    queries = [shlex.split(line)[2] for line in victoria.shown("And back")
               if line.startswith("duckdb -c ")]
    note("the page asks DuckDB", len(queries) == 1, queries)
    script = "import duckdb, sys; print(len(duckdb.sql(sys.argv[1]).fetchall()))"
    for query in queries:
        done = subprocess.run([interpreter, "-c", script, query], cwd=folder, capture_output=True,
                              text=True, timeout=120, check=False)
        note("DuckDB answers it", done.stdout.strip() == "1", (done.stdout, done.stderr[-400:]))


def fill(bed, program, data):
    """Fills a data directory through its server, which is stopped; what was sent."""
    ours = bed.chronolith_on(program, data)
    start = (int(time.time()) - 86_400) * 1_000
    samples, text = set(), []
    for place in range(SAMPLES):
        at, series, value = start + place // SERIES * 500, str(place % SERIES), place / 7
        samples.add((at, "made_total", series, value))
        text.append(f'made_total{{series="{series}"}} {value!r} {at}')
    fetch(ours.url + "/api/v1/import/prometheus", "\n".join(text).encode() + b"\n")
    lines = [[start * 1_000_000 + place, f"line {place} \N{SNOWMAN}", "made", f"{place:08x}"]
             for place in range(LINES)]
    values = [[str(at), line, {"trace": trace}] for at, line, _, trace in lines]
    body = {"streams": [{"stream": {"app": "made"}, "values": values}]}
    push(ours.loki + "/loki/api/v1/push", json.dumps(body).encode())
    bed.stop("chronolith-tabled")
    return samples, lines


def push(url, body):
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        assert answer.status == 204, answer.status
