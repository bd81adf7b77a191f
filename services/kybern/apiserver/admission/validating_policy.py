"""ValidatingAdmissionPolicy: expressions judge a write; bindings say whether a no denies, warns or is recorded."""

import asyncio
from typing import TYPE_CHECKING

import orjson

from kybern.apiserver.admission.plugin import Object
from kybern.apiserver.admission.policy_metrics import INVALID, PolicyMetrics
from kybern.apiserver.admission.policy_metrics import OUT_OF_BUDGET as BUDGET
from kybern.apiserver.admission.policy_plugin import PolicyPlugin
from kybern.apiserver.admission.webhook_calls import Write, write_of
from kybern.apiserver.registry.request import Request

if TYPE_CHECKING:
    from kybern.apiserver.admission.policy_dispatch import Denial, Invocation
    from kybern.apiserver.admission.policy_validation import Judged, Validating, Verdict

FAILURES = "validation.policy.admission.k8s.io/validation_failure"
CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}


class ValidatingAdmissionPolicy(PolicyPlugin["Validating"]):
    """See the module's docstring."""

    name, kind = "ValidatingAdmissionPolicy", "validating"

    def compile(self, policy: Object) -> "Validating":
        from kybern.apiserver.admission.policy_validation import compile_policy

        return compile_policy(policy)

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        policies = self.bound(request)
        if policies:
            await _dispatch(write_of(request, operation, new, old), policies, self.metrics(request))


async def _dispatch(write: Write, policies: "list[Validating]", metrics: PolicyMetrics) -> None:
    """Evaluate everything, then refuse with the first denial. Raises StatusError."""
    from kybern.apiserver.admission.policy_dispatch import Speaker, invocations, refusal
    from kybern.apiserver.admission.policy_validation import evaluate

    time = asyncio.get_running_loop().time
    speaker: Speaker | None = None
    denied: Denial | None = None
    failures: list[Object] = []
    published: dict[str, list[str]] = {}
    async for invocation in invocations(write, policies):
        if invocation.error:
            if not invocation.policy.fails_open:
                denied = denied or _denial(invocation, invocation.error, "Invalid")
            continue
        speaker = speaker or Speaker(write)
        speaks, began = await speaker.values(invocation), time()
        judged = evaluate(invocation, speaks)
        _count(metrics, invocation, judged, time() - began)
        for verdict in judged.verdicts:
            denial = _act(write, invocation, verdict, failures)
            denied = denied or denial
        for key, value in judged.annotations:
            values = published.setdefault(f"{invocation.policy.name}/{key}", [])
            if value not in values:
                values.append(value)
    annotations = write.request.audit_annotations
    if failures:  # an annotation is not overwritten
        annotations[FAILURES] = orjson.dumps(failures[:1]).decode()
    for key, values in published.items():
        annotations[key] = ", ".join(values)
    if denied is not None:
        error = refusal(write, [denied])
        error.status["reason"], error.status["code"] = denied.reason, CODES.get(denied.reason, 422)
        raise error


def _count(metrics: PolicyMetrics, invocation: "Invocation", judged: "Judged", seconds: float) -> None:
    """As upstream, a yes is not counted, and a no is an error in its metrics."""
    from kybern.apiserver.admission.policy_validation import OUT_OF_BUDGET

    policy, bound = invocation.policy.name, invocation.bound
    for _ in range(judged.ignored):
        metrics.count(policy, bound, seconds, INVALID)
    for verdict in judged.verdicts:
        error = BUDGET if verdict.message == OUT_OF_BUDGET else INVALID
        for action in ("deny",) if verdict.denies else _actions(invocation):
            metrics.count(policy, bound, seconds, error, action.lower())


def _actions(invocation: "Invocation") -> tuple[str, ...]:
    return () if invocation.binding is None else invocation.binding.actions


def _denial(invocation: "Invocation", message: str, reason: str) -> "Denial":
    from kybern.apiserver.admission.policy_dispatch import Denial

    return Denial(f"ValidatingAdmissionPolicy {invocation.subject} denied request: {message}", reason or "Invalid")


def _act(write: Write, invocation: "Invocation", verdict: "Verdict", failures: list[Object]) -> "Denial | None":
    """Do what the binding says of a no."""
    if verdict.denies:
        return _denial(invocation, verdict.message, verdict.reason)
    found: Denial | None = None
    actions = _actions(invocation)
    for action in actions:
        if action == "Deny":
            found = _denial(invocation, verdict.message, verdict.reason)
        elif action == "Audit":
            failures.append(
                {
                    "message": verdict.message, "policy": invocation.policy.name, "binding": invocation.bound,
                    "expressionIndex": verdict.index, "validationActions": list(actions),
                }
            )  # fmt: skip
        elif action == "Warn":
            text = f"Validation failed for ValidatingAdmissionPolicy {invocation.subject}: {verdict.message}"
            if text not in write.request.warnings:
                write.request.warnings.append(text)
    return found
