"""How fast the scheduling cycle decides: 5,000 pods onto 1,000 nodes, without any wire.

Pods come in `kinds` that alternate: 1 kind makes long runs of equal pods, more kinds make none.

kube-scheduler 1.36 on like hardware: 409 pods/s, its API server and etcd on the same two cores.
"""

import argparse
import json
import time
from random import Random
from typing import Any

from kybern.scheduler.core.cycle import Cycle
from kybern.scheduler.core.pod import FactsOf
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.registry import default_profile

RUN = 64  # as in the loop


def node(index: int) -> dict[str, Any]:
    name = f"node-{index}"
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{index % 3}"}
    return {
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": {"cpu": "4", "memory": "32Gi", "pods": "110"}},
    }


def pod(index: int, kinds: int) -> dict[str, Any]:
    app = f"app-{index % kinds}"
    container = {"name": "c", "image": "pause", "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}}}
    return {
        "metadata": {"name": f"pod-{index}", "namespace": "default", "uid": f"u{index}", "labels": {"app": app}},
        "spec": {"containers": [container], "priority": 0},
    }


def run(nodes: int, pods: int, kinds: int) -> dict[str, float]:
    """Pods per second, decoded objects to decisions."""
    objects = [pod(index, kinds) for index in range(pods)]
    snapshot, facts_of = Snapshot(), FactsOf()
    for index in range(nodes):
        snapshot.set_node(node(index))
    cycle = Cycle(default_profile(), snapshot, Random(1))
    start, used = time.perf_counter(), time.process_time()
    placed = 0
    waiting = [facts_of.pod(obj) for obj in objects]
    while waiting:
        facts = waiting[-1].facts
        equal = 1
        while equal < min(RUN, len(waiting)) and waiting[-1 - equal].facts is facts:
            equal += 1
        evaluation = cycle.evaluation(facts)
        if not evaluation.filter().any():
            break
        for outcome in cycle.select(evaluation, equal):
            cycle.assume(waiting.pop().facts, outcome.node)
            placed += 1
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    assert placed == pods, f"only {placed} of {pods} placed"
    return {"kinds": kinds, "pods_per_second": round(pods / seconds), "cpu_us_per_pod": round(cpu / pods * 1e6)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=5000)
    args = parser.parse_args()
    for kinds in (1, 20, 500):
        print(json.dumps({"nodes": args.nodes, "pods": args.pods, **run(args.nodes, args.pods, kinds)}))


if __name__ == "__main__":
    main()
