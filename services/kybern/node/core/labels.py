"""Labels and annotations on sandboxes and containers: all of an agent's state that must outlive the agent.

Names are the kubelet's, so that tools for CRI (crictl, log collectors) find what they look for. `kybern.io/node` tells
agents apart that share one runtime.
"""

import hashlib
import json

from kybern.kube.meta import Object

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
NODE = "kybern.io/node"

HASH = "io.kubernetes.container.hash"
RESTART_COUNT = "io.kubernetes.container.restartCount"
TERMINATION_PATH = "io.kubernetes.container.terminationMessagePath"
TERMINATION_POLICY = "io.kubernetes.container.terminationMessagePolicy"
TERMINATION_HOST_PATH = "kybern.io/termination-log"
POD_GRACE = "io.kubernetes.pod.terminationGracePeriod"
PRE_STOP = "io.kubernetes.container.preStopHandler"
RESOURCES = "kybern.io/container.resources"
CONFIG_SEEN = "kubernetes.io/config.seen"
CONFIG_SOURCE = "kubernetes.io/config.source"


def container_hash(container: Object) -> str:
    """Changes when a running container no longer is what the pod asks for: its name or image, as upstream."""
    seed = json.dumps([container["name"], container.get("image", "")])
    return hashlib.sha256(seed.encode()).hexdigest()[:8]


def sandbox_labels(pod: Object, node: str) -> dict[str, str]:
    """The pod's labels and those that find it again."""
    meta = pod["metadata"]
    own = {POD_NAME: meta["name"], POD_NAMESPACE: meta["namespace"], POD_UID: meta["uid"], NODE: node}
    return {**(meta.get("labels") or {}), **own}


def container_labels(pod: Object, container: Object, node: str) -> dict[str, str]:
    meta = pod["metadata"]
    return {
        POD_NAME: meta["name"],
        POD_NAMESPACE: meta["namespace"],
        POD_UID: meta["uid"],
        CONTAINER_NAME: container["name"],
        NODE: node,
    }


def container_annotations(pod: Object, container: Object, attempt: int, termination_log: str) -> dict[str, str]:
    """What an agent that starts anew must know of a container it did not create."""
    found = {
        HASH: container_hash(container),
        RESTART_COUNT: str(attempt),
        TERMINATION_PATH: container.get("terminationMessagePath") or "/dev/termination-log",
        TERMINATION_POLICY: container.get("terminationMessagePolicy") or "File",
        TERMINATION_HOST_PATH: termination_log,
        POD_GRACE: str(pod["spec"].get("terminationGracePeriodSeconds", 30)),
    }
    pre_stop = (container.get("lifecycle") or {}).get("preStop")
    found[RESOURCES] = json.dumps(container.get("resources") or {})
    return {**found, PRE_STOP: json.dumps(pre_stop)} if pre_stop else found
