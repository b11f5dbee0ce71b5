"""Real clients against the server: run.py PROGRAM PYTHON, where PYTHON has the OpenTelemetry SDK
and DuckDB.

Needs prometheus, promtool, prometheus-node-exporter and vmagent; one that is missing is a failure.
Ends with the line "N passed, N failed".
"""

import os
import shutil
import sys

import otel
import otel_logs
import prometheus
import tables
import transfer
import vmagent
from bed import Bed

PROGRAMS = ("prometheus", "promtool", "prometheus-node-exporter", "vmagent")


def main(program, interpreter):
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}")
    # Some commands run in folders of their own. The path of an environment must not be resolved.
    program, interpreter = os.path.abspath(program), os.path.abspath(interpreter)
    counts = {True: 0, False: 0}

    def note(what, is_right, found):
        counts[bool(is_right)] += 1
        if not is_right:
            print(f"FAILED {what}: {found}")

    with Bed() as bed:
        ours = bed.chronolith(program)
        node = bed.node_exporter()
        try:
            prometheus.run(bed, ours, node, note)
            transfer.run(bed, program, node, note)
            tables.run(bed, program, interpreter, note)
            vmagent.run(bed, ours, node, note)
            otel.run(ours, interpreter, note)
            otel_logs.run(ours, interpreter, note)
        except AssertionError as error:
            note("to the end", False, error)
        if counts[False]:
            bed.show_last_words()
    print(f"{counts[True]} passed, {counts[False]} failed")
    sys.exit(1 if counts[False] else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
