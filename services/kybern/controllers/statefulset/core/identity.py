"""The identity of a StatefulSet's pods: ordinal, name, claims."""

import re

from kybern.controllers.core import pods as podlib
from kybern.controllers.core.history import HASH_LABEL
from kybern.kube import meta
from kybern.kube.meta import Object

POD_NAME, POD_INDEX = "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"
_NAME = re.compile(r"(.*)-([0-9]+)")


def ordinal_of(stateful_set: Object, pod: Object) -> int | None:
    """The ordinal in a pod's name; None if it is not one of the set's names."""
    match = _NAME.fullmatch(meta.name(pod))
    if match is None or match[1] != meta.name(stateful_set):
        return None
    return int(match[2])


def first_ordinal(stateful_set: Object) -> int:
    return int((stateful_set["spec"].get("ordinals") or {}).get("start", 0))


def replicas(stateful_set: Object) -> int:
    value = stateful_set["spec"].get("replicas")
    return 1 if value is None else int(value)


def make_pod(stateful_set: Object, template: Object, revision: str, ordinal: int) -> Object:
    """The pod of an ordinal, of one revision of the template."""
    name = f"{meta.name(stateful_set)}-{ordinal}"
    pod = podlib.pod_from_template(template, stateful_set, name=name)
    labels = {POD_NAME: name, POD_INDEX: str(ordinal), HASH_LABEL: revision}
    pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), **labels}
    spec = dict(pod["spec"])
    spec["hostname"] = name
    if stateful_set["spec"].get("serviceName"):
        spec["subdomain"] = stateful_set["spec"]["serviceName"]
    claims = {
        template["metadata"]["name"]: claim_name(stateful_set, template, ordinal)
        for template in claim_templates(stateful_set)
    }
    if claims:
        others = [volume for volume in spec.get("volumes") or () if volume["name"] not in claims]
        mounted: list[Object] = [
            {"name": volume, "persistentVolumeClaim": {"claimName": claim}} for volume, claim in claims.items()
        ]
        spec["volumes"] = [*mounted, *others]
    return {**pod, "spec": spec}


def make_claims(stateful_set: Object, ordinal: int) -> list[Object]:
    """The claims that a pod of this ordinal needs."""
    labels = (stateful_set["spec"].get("selector") or {}).get("matchLabels") or {}
    made: list[Object] = []
    for template in claim_templates(stateful_set):
        metadata = {
            **template["metadata"],
            "name": claim_name(stateful_set, template, ordinal),
            "namespace": meta.namespace(stateful_set),
            "labels": {**(template["metadata"].get("labels") or {}), **labels},
        }
        metadata.pop("creationTimestamp", None)
        made.append(
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]}
        )
    return made


def claim_name(stateful_set: Object, template: Object, ordinal: int) -> str:
    return f"{template['metadata']['name']}-{meta.name(stateful_set)}-{ordinal}"


def claim_templates(stateful_set: Object) -> list[Object]:
    claims: list[Object] = stateful_set["spec"].get("volumeClaimTemplates") or []
    return claims


def revision_of(pod: Object) -> str:
    """The name of the ControllerRevision that a pod is of."""
    return meta.labels(pod).get(HASH_LABEL, "")
