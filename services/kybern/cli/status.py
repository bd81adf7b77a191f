"""`kybern status`: the processes of a cluster, their memory and restarts."""

import argparse
import json
from contextlib import suppress
from typing import Any

from kybern.cli.core.layout import Layout
from kybern.cli.running import require_running


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `kybern status`."""
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table", help="(default: table)")


def run(options: argparse.Namespace, layout: Layout) -> int:
    """0 when everything is ready, 1 when something is not, 2 when no cluster runs."""
    status = require_running(layout)
    rows = [{**row, "pss_kb": proportional_memory(row["pid"])} for row in status.get("processes", [])]
    ready = bool(rows) and all(row["ready"] for row in rows)
    if options.output == "json":
        print(json.dumps({**status, "processes": rows, "ready": ready}, indent=2))
    else:
        show(layout, status, rows)
    return 0 if ready else 1


def show(layout: Layout, status: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """A table for people."""
    print(f"API         https://127.0.0.1:{status.get('port')}")
    print(f"data dir    {layout.data}")
    print(f"kubeconfig  {layout.kubeconfig}\n")
    print(f"{'SERVICE':<22} {'STATE':<9} {'PID':>8} {'MEMORY':>9} {'RESTARTS':>9}  METRICS")
    metrics = status.get("metrics", {})
    for row in rows:
        state = "ready" if row["ready"] else "starting" if row["pid"] else "stopped"
        where = f"http://{metrics[row['name']]}/metrics" if row["name"] in metrics else ""
        memory = f"{row['pss_kb'] / 1024:.1f} MB" if row["pss_kb"] else "-"
        print(f"{row['name']:<22} {state:<9} {row['pid'] or '-':>8} {memory:>9} {row['restarts']:>9}  {where}")
    total = sum(row["pss_kb"] for row in rows if row["service"])
    print(f"\nservices together: {total / 1024:.0f} MB (proportional set size)")


def proportional_memory(pid: int) -> int:
    """PSS of a process in kB; 0 when it is gone or may not be read."""
    with suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as rollup:
        for line in rollup:
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
