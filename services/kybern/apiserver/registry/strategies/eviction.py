"""Eviction: a deletion that a PodDisruptionBudget may refuse for now (429); an allowed one is counted first."""

from dataclasses import replace
from typing import Any

import orjson

from kybern.apiserver.registry import metadata
from kybern.apiserver.registry.decode import decode
from kybern.apiserver.registry.delete import check_preconditions, delete, read_options
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object
from kybern.apiserver.registry.update import change
from kybern.apiserver.storage.selection import Selection
from kybern.kube import conditions, meta, selectors
from kybern.kube.status import StatusError, bad_request, forbidden, not_found, status_error, success, too_many_requests

GVK = ("policy", "v1", "Eviction")
OLDER = b'"policy/v1beta1"'
ALLOWED = "DisruptionAllowed"
LIMIT = 2000  # pods on their way out that one budget remembers
PROCESSING_SECONDS = 10
REASON, MESSAGE = "EvictionByEvictionAPI", "Eviction API: evicting"
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


async def evict(request: Request, data: bytes) -> bytes:
    """POST of an Eviction to a pod."""
    eviction = _read(request, data)
    await request.server.admission.mutate(request, "CREATE", eviction, None)
    metadata.place(request, eviction)
    name = request.name
    if eviction["metadata"].get("name") != name:
        raise bad_request("name in URL does not match name in Eviction object")
    options = read_options(orjson.dumps(eviction.get("deleteOptions") or {}))
    entry = request.served.storage.get(request.namespace, name)
    if entry is None:
        raise not_found("", "pods", name)
    pod = entry.decode()
    request.dry_run = request.dry_run or options.dry_run
    await request.server.admission.validate(request, "CREATE", eviction, pod)
    if not _free_to_go(pod):
        await _ask_budgets(request, pod)
    if not request.dry_run:
        check_preconditions(request, options, entry)
        await _mark(request, name)
        options = replace(options, resource_version=None)
    removal = replace(request, verb="delete", subresource="")
    await delete(removal, options, admitted=True)
    return orjson.dumps({**success(), "code": 201})


def _read(request: Request, data: bytes) -> Object:
    """An Eviction of either version: both say the same."""
    if OLDER not in data:
        return decode(request, data, GVK)
    try:
        return decode(request, data.replace(OLDER, b'"policy/v1"', 1), GVK)
    except StatusError as error:
        error.status["message"] = error.message.replace('in version "v1"', 'in version "v1beta1"', 1)
        raise


async def _mark(request: Request, name: str) -> None:
    """Say on the pod that it is disrupted, so that its owner can tell this from a failure."""

    async def produce(pod: Object) -> Object:
        status = dict(pod.get("status") or {})
        marked = [dict(condition) for condition in status.get("conditions") or ()]
        conditions.set_condition(marked, "DisruptionTarget", "True", now=request.now, reason=REASON, message=MESSAGE)
        for condition in marked:
            condition.setdefault("lastProbeTime", None)
        return {**_of_any_version(pod), "status": {**status, "conditions": marked}}

    await change(replace(request, verb="update", subresource="status", name=name), produce, tracked=True)


def _free_to_go(pod: Object) -> bool:
    """Pods that no budget counts as healthy: not started, ended, or ending already."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Pending", "Succeeded", "Failed") or bool(pod["metadata"].get("deletionTimestamp"))


async def _ask_budgets(request: Request, pod: Object) -> None:
    budgets = _matching(request, pod["metadata"].get("labels") or {})
    if not budgets:
        return
    if len(budgets) > 1:
        why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise status_error(500, "", why)
    budget = budgets[0]
    status, spec = budget.get("status") or {}, budget.get("spec") or {}
    if not conditions.is_condition_true(pod, "Ready"):
        healthy, wanted = status.get("currentHealthy") or 0, status.get("desiredHealthy") or 0
        if spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow" or (healthy >= wanted > 0):
            return
    table = request.server.table
    counting = Request(
        request.server, request.user, "update", table.find("policy", "v1", "poddisruptionbudgets"), request.namespace,
        budget["metadata"]["name"], "status", request.traceparent, request.dry_run, "kube-apiserver",
    )  # fmt: skip

    async def produce(current: Object) -> Object:
        return _counted(request, current, pod["metadata"]["name"])

    await change(counting, produce)


def _matching(request: Request, labels: dict[str, str]) -> list[Object]:
    found = []
    cacher = request.server.table.cacher("policy", "poddisruptionbudgets")
    for entry in cacher.select(Selection(request.namespace)):
        budget = entry.decode()
        selector = (budget.get("spec") or {}).get("selector")
        if selector is not None and selectors.from_label_selector(selector).matches(labels):
            found.append(budget)
    return found


def _counted(request: Request, budget: Object, pod: str) -> Object:
    """The budget with one disruption less. Raises StatusError (429, 403)."""
    name = budget["metadata"]["name"]
    status: dict[str, Any] = dict(budget.get("status") or {})
    if (status.get("observedGeneration") or 0) < (budget["metadata"].get("generation") or 0):
        raise _later(f"The disruption budget {name} is still being processed by the server.", PROCESSING_SECONDS)
    allowed = status.get("disruptionsAllowed") or 0
    if allowed < 0:
        raise forbidden("policy", "poddisruptionbudgets", name, "pdb disruptions allowed is negative")
    disrupted = dict(status.get("disruptedPods") or {})
    if len(disrupted) > LIMIT:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden("policy", "poddisruptionbudgets", name, why)
    if allowed == 0:
        wanted, healthy = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
        if healthy > wanted:
            raise _later(f"The disruption budget {name} does not allow evicting pods currently", 0)
        raise _later(f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently", 0)
    disrupted[pod] = meta.format_time(request.now)
    status |= {"disruptionsAllowed": allowed - 1, "disruptedPods": disrupted}
    if allowed == 1:
        status["conditions"] = _used_up(request, status)
    return {**_of_any_version(budget), "status": status}


def _of_any_version(obj: Object) -> Object:
    """The object without its revision: whoever else writes to it meanwhile, it is read and changed once more."""
    kept = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    return {**obj, "metadata": kept}


def _used_up(request: Request, status: Object) -> list[Object]:
    """The conditions of a budget that allows no more."""
    found = [dict(condition) for condition in status.get("conditions") or ()]
    seen = status.get("observedGeneration") or 0
    conditions.set_condition(
        found, ALLOWED, "False", now=request.now, reason="InsufficientPods", observed_generation=seen
    )
    for condition in found:
        if condition["type"] == ALLOWED:
            condition["message"] = ""
    return found


def _later(why: str, seconds: int) -> StatusError:
    error = too_many_requests(REFUSED, seconds)
    details = error.status.setdefault("details", {})
    details["causes"] = [{"reason": "DisruptionBudget", "message": why}]
    return error
