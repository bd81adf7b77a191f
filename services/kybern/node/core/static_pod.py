"""Static pods: manifests of the node itself, and the mirror pods that show them in the API. Pure."""

import hashlib
import json
from typing import Any

from kybern.kube import meta
from kybern.kube.meta import Object

HASH = "kubernetes.io/config.hash"
SOURCE = "kubernetes.io/config.source"
MIRROR = "kubernetes.io/config.mirror"


class BadManifest(Exception):
    """A manifest that is no Pod; the message says why."""


def static_pod(manifest: Any, node_name: str) -> Object:
    """The pod of a manifest: named after its node, its uid a hash of what it says. Raises BadManifest."""
    if not isinstance(manifest, dict) or manifest.get("kind") != "Pod" or manifest.get("apiVersion") != "v1":
        raise BadManifest("expected one v1 Pod")
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    if not metadata.get("name") or not spec.get("containers"):
        raise BadManifest("expected metadata.name and spec.containers")
    seed = json.dumps([manifest, node_name], sort_keys=True).encode()
    uid = hashlib.md5(seed, usedforsecurity=False).hexdigest()
    annotations = {**(metadata.get("annotations") or {}), HASH: uid, SOURCE: "file"}
    forever = [{"operator": "Exists", "effect": "NoExecute"}]
    return {
        **manifest,
        "metadata": {
            **metadata,
            "name": f"{metadata['name']}-{node_name}".lower(),
            "namespace": metadata.get("namespace") or "default",
            "uid": uid,
            "annotations": annotations,
        },
        "spec": {**spec, "nodeName": node_name, "tolerations": [*(spec.get("tolerations") or []), *forever]},
        "status": {"phase": "Pending"},
    }


def mirror_pod(pod: Object, node: Object) -> Object:
    """What is created in the API for a static pod, owned by its node."""
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "labels") if pod["metadata"].get(key)}
    metadata["annotations"] = {**meta.annotations(pod), MIRROR: meta.uid(pod)}
    if meta.uid(node):
        owner = {"apiVersion": "v1", "kind": "Node", "name": meta.name(node), "uid": meta.uid(node), "controller": True}
        metadata["ownerReferences"] = [owner]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"]}


def mirrored_uid(pod: Object) -> str:
    """The uid of the static pod behind a mirror pod; "" for any other pod."""
    return meta.annotations(pod).get(MIRROR, "")
