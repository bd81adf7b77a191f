"""Asking webhooks: which of them a write concerns, in which version they want to see it, and the call itself."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kybern.apiserver.admission.matching import find_match, is_exempt_from_webhooks, namespace_matches, object_matches
from kybern.apiserver.admission.plugin import CREATE
from kybern.apiserver.admission.review import admission_request
from kybern.apiserver.admission.webhook_configurations import Webhook
from kybern.apiserver.admission.webhook_review import (
    Answer,
    BadAnswer,
    NoAnswer,
    denied,
    no_dry_run,
    question,
    read_answer,
)
from kybern.apiserver.registry.metadata import new_uid
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.resource_table import Served
from kybern.apiserver.registry.strategies.scale import scale_of
from kybern.apiserver.webhooks.client import CallFailed
from kybern.apiserver.webhooks.metrics import Outcome
from kybern.kube import schema
from kybern.kube.status import forbidden

if TYPE_CHECKING:
    from kybern.apiserver.admission.conditions import Conditions

Object = dict[str, Any]


LEAST = 0.001  # seconds for a webhook: a request that has none left is ended elsewhere
MUTATING, VALIDATING = "admit", "validating"  # what metrics call them


class CallingFailed(Exception):
    """A webhook gave no answer that counts; failurePolicy decides."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f'failed calling webhook "{name}": {why}')


@dataclass(frozen=True)
class Write:
    """What is asked about."""

    request: Request
    operation: str
    new: Object | None
    old: Object | None  # never of a CREATE

    async def seen(self, obj: Object | None, served: Served) -> Object | None:
        """One of its objects as it is in a version, Scale for a scale subresource."""
        if obj is None or obj.get("kind") != served.stored.kind:
            return obj  # the options of a connection, an Eviction, a review
        if self.request.subresource == "scale":
            return scale_of(obj, served.custom)
        if served.conversion is not None:
            return await served.conversion.convert(obj, served.info.api_version)
        return schema.convert(obj, served.info.api_version)


def write_of(request: Request, operation: str, new: Object | None, old: Object | None) -> Write:
    """What webhooks see of a write that admission sees."""
    return Write(request, operation, new, None if operation == CREATE else old)


def concerns(request: Request, hooks: tuple[Webhook, ...]) -> Iterator[Webhook]:
    """Webhooks that may be asked: none about the configurations of webhooks themselves."""
    return iter(()) if is_exempt_from_webhooks(request) else iter(hooks)


async def match(hook: Webhook, write: Write) -> Served | None:
    """The version in which the webhook wants to see the write; None if it does not. Raises StatusError."""
    request, operation = write.request, write.operation
    served = _version(hook, request, operation)
    if served is None:
        return None
    if not namespace_matches(request, operation, hook.namespaces, write.new):
        return None
    if not object_matches(hook.objects, write.new, write.old):
        return None
    if hook.conditions is not None and not await _conditions_match(hook, hook.conditions, write, served):
        return None
    return served


def _version(hook: Webhook, request: Request, operation: str) -> Served | None:
    """Which version the rules name; found out once for requests of the same shape: rules do not speak of names."""
    known, etag = hook.known, request.server.table.etag
    if known.etag != etag:
        known.etag = etag
        known.versions.clear()
    shape = (request.served, operation, request.subresource, bool(request.namespace))
    if shape not in known.versions:
        known.versions[shape] = find_match(request, operation, hook.rules, hook.match_policy)
    return known.versions[shape]


async def _conditions_match(hook: Webhook, conditions: "Conditions", write: Write, served: Served) -> bool:
    """Raises StatusError (403) when a condition has no value and the webhook fails closed."""
    from kybern.apiserver.admission.policy_authorizer import authorizer_values  # with CEL, which conditions have loaded

    request = write.request
    values = {
        "object": await write.seen(write.new, served),
        "oldObject": await write.seen(write.old, served),
        "request": admission_request(request, write.operation, "", served),
        **authorizer_values(request),
    }
    decision = conditions.decide(values)
    if decision.matched or not decision.failed or hook.fails_open:
        return decision.matched
    raise forbidden(request.group, request.resource, request.name, decision.error)


async def ask(hook: Webhook, write: Write, served: Served, new: Object | None, *, mutating: bool) -> Answer:
    """The webhook's yes. `new` is the object in the version it is asked about.

    Raises StatusError when it says no, CallingFailed when it says nothing of use.
    """
    request = write.request
    if request.dry_run and not hook.dry_runs:
        raise no_dry_run(hook.name)
    if not hook.version:
        why = "webhook does not accept known AdmissionReview versions (v1, v1beta1)"
        raise CallingFailed(hook.name, f"could not create admission objects: {why}")
    client, kind = request.server.webhooks, MUTATING if mutating else VALIDATING
    old = await write.seen(write.old, served)
    with client.metrics.admission(hook.name, kind, write.operation) as outcome:
        answer = await _answer(hook, write, served, (new, old), outcome, mutating=mutating)
    for key, value in answer.annotations.items():
        request.audit_annotations[f"{hook.name}/{key}"] = value
    for warning in answer.warnings:
        if warning not in request.warnings:
            request.warnings.append(warning)
    if not answer.allowed:
        raise denied(hook.name, answer.status)
    return answer


async def _answer(
    hook: Webhook,
    write: Write,
    served: Served,
    objects: tuple[Object | None, Object | None],
    outcome: Outcome,
    *,
    mutating: bool,
) -> Answer:
    """One call. Raises CallingFailed."""
    request, uid = write.request, new_uid(write.request.server.random)
    body = question(hook.version, admission_request(request, write.operation, uid, served), *objects)
    outcome.rejected, outcome.code, outcome.error = not hook.fails_open, 500, "calling_webhook_error"
    try:
        with request.server.telemetry.span("webhook", request.traceparent, attributes={"webhook": hook.name}) as step:
            trace = step.traceparent or request.traceparent
            post = request.server.webhooks.post
            data = await post(hook.target, body, _seconds(hook, request), hook.credentials, trace)
        answer = read_answer(data, hook.version, uid, mutating=mutating)
    except CallFailed as error:
        raise CallingFailed(hook.name, f"failed to call webhook: {error}") from None
    except NoAnswer as error:
        raise CallingFailed(hook.name, f"failed to call webhook: {error}") from None
    except BadAnswer as error:
        raise CallingFailed(hook.name, f"received invalid webhook response: {error}") from None
    outcome.rejected, outcome.code, outcome.error = not answer.allowed, 200, "no_error"
    if not answer.allowed:
        outcome.code = denied(hook.name, answer.status).code
    return answer


def _seconds(hook: Webhook, request: Request) -> float:
    """The time of a webhook: its own, or what is left of the request's."""
    if request.deadline is None:
        return hook.seconds
    return min(hook.seconds, max(request.deadline - asyncio.get_running_loop().time(), LEAST))


def note_failed_open(write: Write, kind: str, at: str, hook: Webhook, why: CallingFailed) -> None:
    """A webhook that failed and is ignored leaves a trace in the log, the metrics and the audit log."""
    write.request.server.webhooks.metrics.failed_open(hook.name, MUTATING if kind == "mutation" else VALIDATING)
    write.request.audit_annotations[f"failed-open.{kind}.webhook.admission.k8s.io/{at}"] = hook.name
    write.request.server.telemetry.log.warning("failed calling webhook, failing open %s: %s", hook.name, why)
