"""In and out of VictoriaMetrics: our lines taken by it, and its own lines brought back by the commands
that docs/migration.md shows."""

import json
import os
import subprocess

from bed import fetch, free_port, until

PAGE = os.path.join(os.path.dirname(__file__), "../../docs/migration.md")


def shown(heading):
    """The lines of code below a heading of the page, without their indent."""
    with open(PAGE, encoding="utf-8") as file:
        part = file.read().split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line[4:] for line in part.splitlines() if line.startswith("    ")]


def numbers(lines):
    """How many numbers these lines have. Lines with NaN are left out: Debian's version skips those."""
    series = (json.loads(line)["values"] for line in lines.splitlines())
    whole = (values for values in series if all(type(value) in (int, float) for value in values))
    return sum(map(len, whole))


def run(bed, program, data, note):
    """Moves what a directory has into VictoriaMetrics and out again: the new directory."""
    lines = bed.path("ours.jsonl")
    done = subprocess.run([program, "export", "victoriametrics", lines, "--data", data],
                          capture_output=True, text=True, timeout=120, check=False)
    note("lines for VictoriaMetrics are exported", done.returncode == 0, done.stderr)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    bed.start("victoria", [
        "victoria-metrics", "-storageDataPath", bed.path("victoria-data"),
        f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=10y",
    ])
    until("VictoriaMetrics answers", lambda: fetch(url + "/health"))
    with open(lines, "rb") as file:
        sent = file.read()
    fetch(url + "/api/v1/import", sent)
    fetch(url + "/internal/force_flush")
    # Rows that its own flush of each second had just taken up are not shown yet when the forced one ends.
    everything = b'match[]={__name__!=""}'
    until("VictoriaMetrics shows every number that it took",
          lambda: numbers(fetch(url + "/api/v1/export", everything)) == numbers(sent))
    bin_folder = bed.path("bin")
    os.makedirs(bin_folder, exist_ok=True)
    os.symlink(program, os.path.join(bin_folder, "chronolith"))
    folder = bed.path("from-victoria")
    os.mkdir(folder)
    environment = dict(os.environ, PATH=bin_folder + os.pathsep + os.environ["PATH"],
                       no_proxy="127.0.0.1")
    commands = shown("From VictoriaMetrics")
    note("the page shows how", len(commands) == 2, commands)
    script = "\n".join(commands).replace("http://victoria:8428", url)
    done = subprocess.run(["sh", "-euc", script], cwd=folder, env=environment, timeout=120,
                          capture_output=True, text=True, check=False)
    note("the page's commands bring VictoriaMetrics' lines", done.returncode == 0,
         done.stdout + done.stderr)
    return os.path.join(folder, "data")
