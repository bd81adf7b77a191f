"""`kybern up` with one simulated node: seconds from the command to a Ready node, and memory of all services."""

import statistics

from cluster import cluster

ROUNDS = 5


def main() -> None:
    seconds, memory = [], []
    for _ in range(ROUNDS):
        with cluster("--simulated-nodes", "1") as c:
            assert " Ready " in c.kubectl("get", "nodes")
            seconds.append(c.seconds)
            memory.append(c.memory_mb)
    print(f"up to Ready: median {statistics.median(seconds):.2f} s, {min(seconds):.2f} to {max(seconds):.2f} s")
    print(f"memory: median {statistics.median(memory):.0f} MB (PSS of all services, supervisor not counted)")


if __name__ == "__main__":
    main()
