"""POST to Running of a pod through a running cluster, against the same CRI calls made directly to its containerd.

Both sides are done in turns on the same containerd, so that only their ratio counts. Needs root and containerd.
"""

import argparse
import asyncio
import os
import statistics
import time
from typing import Any

from cluster import cluster
from kubernetes import client, config, watch

from kybern.node.core.container_config import ImageFacts, container_config
from kybern.node.core.pod_sandbox import NodeSettings, sandbox_config
from kybern.node.cri.client import Runtime
from kybern.runtime.containerd import Layout

IMAGE = "kybern/busybox:1"


def make_pod(name: str) -> dict[str, Any]:
    """The pod that both sides start."""
    container = {"name": "main", "image": IMAGE, "command": ["sleep", "1000"]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False}
    meta = {"name": name, "namespace": "default", "uid": f"bench-{name}"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


async def start_directly(runtime: Runtime, name: str) -> float:
    """Seconds for sandbox, create and start, one after the other; everything is removed again."""
    pod = make_pod(name)
    settings = NodeSettings("bench", cgroup_root="/kybern/node-1")
    begin = time.perf_counter()
    sandbox_cfg = sandbox_config(pod, settings, 0, "/tmp/kybern-bench/logs")
    sandbox = await runtime.run_pod_sandbox(sandbox_cfg)
    image = await runtime.image_status(f"docker.io/{IMAGE}")
    assert image is not None
    facts = ImageFacts(image.id)
    made = container_config(pod, pod["spec"]["containers"][0], 0, facts, {}, [], settings, "")
    container = await runtime.create_container(sandbox, made, sandbox_cfg)
    await runtime.start_container(container)
    took = time.perf_counter() - begin
    await runtime.stop_container(container, 0)
    await runtime.stop_pod_sandbox(sandbox)
    await runtime.remove_pod_sandbox(sandbox)
    return took


def start_through_cluster(api: Any, names: list[str]) -> list[float]:
    """Seconds from POST to phase Running, for pods that are created at once; everything is removed again."""
    version = api.list_namespaced_pod("default", limit=1).metadata.resource_version
    begin = {}
    for name in names:
        pod = make_pod(name)
        del pod["metadata"]["uid"]
        begin[name] = time.perf_counter()
        api.create_namespaced_pod("default", pod)
    took: dict[str, float] = {}
    stream: Any = watch
    for event in stream.Watch().stream(
        api.list_namespaced_pod, "default", resource_version=version, timeout_seconds=60
    ):
        pod = event["object"]
        if pod.metadata.name in begin and pod.metadata.name not in took and pod.status.phase == "Running":
            took[pod.metadata.name] = time.perf_counter() - begin[pod.metadata.name]
            if len(took) == len(names):
                break
    for name in names:
        api.delete_namespaced_pod(name, "default", grace_period_seconds=0)
    return [took[name] for name in names]


async def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--parallel", type=int, default=10)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("left out: containers need root")
        return
    with cluster("--nodes", "1") as c:
        settings: Any = config
        settings.load_kube_config(str(c.data_dir / "admin.kubeconfig"))
        endpoint = Layout(c.data_dir / "nodes" / "node-1" / "containerd").endpoint
        await measure(Runtime.connect(endpoint), options.count, options.parallel)


async def measure(runtime: Runtime, count: int, parallel: int) -> None:
    """One at a time in turns, then many at once on each side."""
    api = client.CoreV1Api()
    direct, through = [], []
    for i in range(count):
        direct.append(await start_directly(runtime, f"direct-{i}"))
        through += start_through_cluster(api, [f"bench-{i}"])
        await asyncio.sleep(0.5)  # the deletion's work is not measured
    one, other = statistics.median(direct), statistics.median(through)
    print(f"one at a time: direct {one:.3f} s, through the cluster {other:.3f} s, ratio {other / one:.2f}")
    begin = time.perf_counter()
    await asyncio.gather(*(start_directly(runtime, f"direct-p{i}") for i in range(parallel)))
    print(f"{parallel} at once, directly (with removal): {time.perf_counter() - begin:.2f} s")
    took = start_through_cluster(api, [f"bench-p{i}" for i in range(parallel)])
    print(f"{parallel} at once, through the cluster: all Running after {max(took):.2f} s")
    await runtime.close()


if __name__ == "__main__":
    asyncio.run(main())
