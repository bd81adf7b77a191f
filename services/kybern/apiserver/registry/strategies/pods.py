"""Pods: graceful deletion, binding to a node, what status and the small subresources may change."""

from collections.abc import Iterator

import orjson

from kybern.apiserver.registry.decode import decode
from kybern.apiserver.registry.metadata import check_key, place, precondition_failed
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.reviewed import admit
from kybern.apiserver.registry.strategies.eviction import evict
from kybern.apiserver.registry.strategy import Object, Strategy, already_made
from kybern.apiserver.registry.update import change
from kybern.kube import conditions, meta
from kybern.kube.defaults.create import qos_class
from kybern.kube.field import FieldError, aggregate, not_supported, required
from kybern.kube.pod_warnings import pod_warnings
from kybern.kube.status import bad_request, conflict, status_error, success
from kybern.kube.validation.pod_annotations import copy_app_armor

DEFAULT_GRACE = 30


def grace(pod: Object, asked: int | None) -> int:
    """Seconds a pod has to end: none if no node runs it or its containers have ended."""
    spec = pod.get("spec") or {}
    seconds = asked
    if seconds is None:
        seconds = spec.get("terminationGracePeriodSeconds")
        seconds = DEFAULT_GRACE if seconds is None else max(int(seconds), 1 if int(seconds) < 0 else 0)
    if not spec.get("nodeName") or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    return seconds


def prepare_create(request: Request, pod: Object) -> None:
    """Profiles of annotations become fields; gated pods say so from the start."""
    request.warnings += copy_app_armor(pod)
    if (pod.get("spec") or {}).get("schedulingGates"):
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
            "lastProbeTime": None,
            "lastTransitionTime": meta.format_time(request.now),
        }
        pod["status"].setdefault("conditions", []).append(condition)


def prepare_update(request: Request, new: Object, old: Object) -> None:
    """The quality of service class never changes."""
    status = dict(new.get("status") or {})
    status["qosClass"] = (old.get("status") or {}).get("qosClass") or qos_class(old)
    new["status"] = status


def status_update(request: Request, new: Object, old: Object) -> None:
    """A client that leaves qosClass out does not remove it, nor the generations that conditions were seen at."""
    status, had = new.get("status"), old.get("status") or {}
    if not isinstance(status, dict):
        return
    if had.get("qosClass"):
        status.setdefault("qosClass", had["qosClass"])
    if not status.get("observedGeneration") and had.get("observedGeneration"):
        status["observedGeneration"] = had["observedGeneration"]
    seen = {condition.get("type"): condition.get("observedGeneration") for condition in had.get("conditions") or ()}
    for condition in status.get("conditions") or ():
        if not condition.get("observedGeneration") and seen.get(condition.get("type")):
            condition["observedGeneration"] = seen[condition["type"]]


def _keep_metadata(new: Object, old: Object) -> None:
    """All of metadata but what the write itself goes by."""
    written = ("generateName", "resourceVersion", "managedFields")
    own = {name: new["metadata"][name] for name in written if name in new["metadata"]}
    kept = {name: value for name, value in old["metadata"].items() if name not in written}
    new["metadata"] = {**kept, **own}


def ephemeral_containers(request: Request, new: Object, old: Object) -> None:
    """Only spec.ephemeralContainers may change."""
    _keep_metadata(new, old)
    wanted = (new.get("spec") or {}).get("ephemeralContainers") or []
    new["spec"] = {**old["spec"], "ephemeralContainers": wanted}
    if not wanted:
        del new["spec"]["ephemeralContainers"]
    new["status"] = old.get("status")


def resize(request: Request, new: Object, old: Object) -> None:
    """Only resources may change, of the pod and its containers; other containers are for validation to refuse."""
    _keep_metadata(new, old)
    spec, before = new.get("spec") or {}, old["spec"]
    new["status"] = old.get("status")
    lists = {name: (spec.get(name) or [], before.get(name) or []) for name in ("containers", "initContainers")}
    if any(len(wanted) != len(had) for wanted, had in lists.values()):
        return
    new["spec"] = {**before, **{name: _resized(*pair) for name, pair in lists.items() if pair[1]}}
    if "resources" in spec:
        new["spec"]["resources"] = spec["resources"]
    else:
        new["spec"].pop("resources", None)


def _resized(wanted: list[Object], had: list[Object]) -> list[Object]:
    """The containers that there are with other resources, if they are the same ones in the same order."""
    if [one.get("name") for one in wanted] != [one.get("name") for one in had]:
        return wanted
    taken = ("resources", "resizePolicy")
    kept = [{name: value for name, value in one.items() if name not in taken} for one in had]
    return [
        {**one, **{name: new[name] for name in taken if name in new}} for one, new in zip(kept, wanted, strict=True)
    ]


async def bind(request: Request, data: bytes) -> bytes:
    """POST of a Binding, to the pod's subresource or to `bindings`: the pod gets its node, once."""
    binding = decode(request, data, ("", "v1", "Binding"))
    metadata = binding["metadata"]
    place(request, binding)
    name = metadata.get("name") or ""
    if request.name and name != request.name:
        raise bad_request("name in URL does not match name in Binding object")
    if not request.subresource:  # the pod is named in the body alone, as if it were new
        metadata.pop("uid", None)
    request.name = name
    await admit(request, binding)
    target = binding.get("target") or {}
    problems = [*_target_problems(target)]
    if problems:
        raise status_error(400, "", aggregate(problems))
    check_key(name)
    pod_request = on_pod(request, name, "binding")

    async def produce(pod: Object) -> Object:
        return _bound(request, pod, target["name"], metadata)

    await change(pod_request, produce, tracked=True, admitted=True)
    return orjson.dumps({**success(), "code": 201})


def _target_problems(target: Object) -> Iterator[FieldError]:
    """Upstream refuses these as internal errors, without a reason."""
    if target.get("kind") not in (None, "", "Node"):
        yield not_supported("target.kind", target["kind"], ("Node", "<empty>"), in_order=True)
    if not target.get("name"):
        yield required("target.name")


def on_pod(request: Request, name: str, subresource: str) -> Request:
    """The same request as a change of the pod itself."""
    served = request.server.table.find("", "v1", "pods")
    return Request(
        request.server, request.user, "update", served, request.namespace, name, subresource, request.traceparent,
        request.dry_run, request.field_manager, request.field_validation, request.warnings,
    )  # fmt: skip


def _bound(request: Request, pod: Object, node: str, metadata: Object) -> Object:
    name = pod["metadata"]["name"]

    def refuse(why: str) -> None:
        raise conflict("", "pods/binding", name, why)

    for member, shown in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted, found = metadata.get(member), pod["metadata"][member]
        if wanted and wanted != found:
            raise precondition_failed(on_pod(request, name, "binding"), shown, wanted, found)
    if pod["metadata"].get("deletionTimestamp"):
        refuse(f"pod {name} is being deleted, cannot be assigned to a host")
    spec = pod["spec"]
    if spec.get("nodeName"):
        refuse(f'pod {name} is already assigned to node "{spec["nodeName"]}"')
    if spec.get("schedulingGates"):
        refuse(f"pod {name} has non-empty .spec.schedulingGates")
    spec["nodeName"] = node
    for member in ("annotations", "labels"):
        if metadata.get(member):
            pod["metadata"][member] = {**(pod["metadata"].get(member) or {}), **metadata[member]}
    status = pod.setdefault("status", {})
    conditions.set_condition(status.setdefault("conditions", []), "PodScheduled", "True", now=request.now)
    for condition in status["conditions"]:
        condition.setdefault("lastProbeTime", None)
    pod["metadata"].pop("resourceVersion", None)
    if metadata.get("resourceVersion"):
        pod["metadata"]["resourceVersion"] = metadata["resourceVersion"]
    return pod


def warn(new: Object, old: Object | None) -> list[str]:
    """Of a new pod only: those who change pods are programs."""
    return pod_warnings(new) if old is None else []


PODS = Strategy(
    warn=warn,
    prepare_create=(prepare_create,),
    prepare_update=(prepare_update,),
    status_update=(status_update,),
    grace=grace,
    returns_deleted=True,
    creates={"binding": bind, "eviction": evict},
    updates={"ephemeralcontainers": ephemeral_containers, "resize": resize, "binding": already_made},
)
BINDINGS = Strategy(creates={"": bind})
