"""A thousand simulated nodes: time to Ready, memory of every service, and the CPU that heartbeats cost when idle."""

import sys
import time

from cluster import cluster, cpu_seconds

IDLE = 30  # seconds over which heartbeats are measured


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with cluster("--simulated-nodes", str(count)) as c:
        print(f"{count} nodes Ready after {c.seconds:.1f} s")
        time.sleep(10)
        before = cpu_seconds(c)
        time.sleep(IDLE)
        after = cpu_seconds(c)
        for row in c.status["processes"]:
            busy = (after[row["name"]] - before[row["name"]]) / IDLE * 100
            print(f"  {row['name']:<12} {row['pss_kb'] / 1024:7.1f} MB  {busy:5.1f} % of a core")
        print(f"  together     {c.memory_mb:7.1f} MB")


if __name__ == "__main__":
    main()
