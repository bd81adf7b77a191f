"""MutatingAdmissionPolicy: expressions write what is to be changed of an object, each sees what others did.

A policy with reinvocationPolicy IfNeeded is carried out once more when somebody changed the object after it.
"""

import asyncio
from typing import TYPE_CHECKING

import orjson

from kybern.apiserver.admission.plugin import DELETE, Object
from kybern.apiserver.admission.policy_metrics import INVALID, NO_ERROR
from kybern.apiserver.admission.policy_plugin import PolicyPlugin
from kybern.apiserver.admission.webhook_calls import Write, write_of
from kybern.apiserver.admission.webhook_patch import hide, take_over
from kybern.apiserver.registry.field_managers import kind_of
from kybern.apiserver.registry.request import Request
from kybern.kube import managed_fields, meta, schema
from kybern.kube.status import StatusError

if TYPE_CHECKING:
    from kybern.apiserver.admission.policy_dispatch import Denial, Invocation, Speaker
    from kybern.apiserver.admission.policy_mutation import Mutating


class MutatingAdmissionPolicy(PolicyPlugin["Mutating"]):
    """See the module's docstring."""

    name, kind = "MutatingAdmissionPolicy", "mutating"

    def compile(self, policy: Object) -> "Mutating":
        from kybern.apiserver.admission.policy_mutation import compile_policy

        return compile_policy(policy)

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        policies = self.bound(request)
        if policies:
            await self._dispatch(write_of(request, operation, new, old), policies)

    async def before_delete(self, request: Request, old: Object) -> None:
        policies = self.bound(request)
        if policies:
            await self._dispatch(write_of(request, DELETE, None, old), policies)

    async def _dispatch(self, write: Write, policies: "list[Mutating]") -> None:
        """Carry out everything that concerns the write. Raises StatusError."""
        from kybern.apiserver.admission.policy_dispatch import Denial, Speaker, invocations
        from kybern.apiserver.admission.policy_mutation import MutationFailed

        passes = write.request.reinvocation
        rounds = passes.begin(self.name, write.new)
        speaker: Speaker | None = None
        denials: list[Denial] = []
        async for invocation in invocations(write, policies):
            if passes.again and invocation.key not in rounds.due:
                continue
            speaker = speaker or Speaker(write)
            try:
                if await self._counted(write, invocation, speaker):
                    passes.changed(rounds)
            except MutationFailed as error:
                if not invocation.policy.fails_open:
                    said = f"policy {invocation.subject} denied request: {error}"
                    denials.append(Denial(said, "" if invocation.error else "Invalid"))
            if invocation.policy.reinvocable:
                rounds.invoked.add(invocation.key)
        rounds.end(write.new)
        if denials:
            raise _refusal(write, denials)

    async def _counted(self, write: Write, invocation: "Invocation", speaker: "Speaker") -> bool:
        """`_invoke`, with its time. Raises MutationFailed, StatusError."""
        time, policy, binding = asyncio.get_running_loop().time, invocation.policy.name, invocation.bound
        began, error = time(), INVALID
        try:
            changed = await _invoke(write, invocation, speaker)
            error = NO_ERROR
            return changed
        finally:
            self.metrics(write.request).count(policy, binding, time() - began, error)


async def _invoke(write: Write, invocation: "Invocation", speaker: "Speaker") -> bool:
    """Whether the policy has changed the object. Raises MutationFailed, StatusError."""
    from kybern.apiserver.admission.policy_mutation import MutationFailed, mutate

    policy = invocation.policy
    if invocation.error:
        raise MutationFailed(invocation.error)
    values = await speaker.values(invocation)
    decision = policy.conditions.decide(values)
    if decision.failed:
        raise MutationFailed(decision.error)
    if not decision.matched or write.new is None:
        return False
    shown = found = hide(write, values["object"]) or {}
    of = _type_of(shown) or kind_of(invocation.served, write.request.subresource).type
    for mutation in policy.mutations:
        found = mutate(policy, mutation, found, values, of)
    if found == shown:
        return False
    await take_over(write, invocation.served, orjson.loads(orjson.dumps(found)))
    return True


def _refusal(write: Write, denials: "list[Denial]") -> StatusError:
    """Forbidden as upstream has it: the message is the policy's alone, the reason that of the first denial."""
    from kybern.apiserver.admission.policy_dispatch import refusal

    error = refusal(write, denials)
    error.status["message"] = denials[0].message
    error.status["reason"] = denials[0].reason or "Forbidden"
    return error


def _type_of(shown: Object) -> managed_fields.Type | None:
    """How parts of a built-in kind are merged: a Scale or an Eviction is not of its resource's kind."""
    name = schema.load().names.get(meta.gvk(shown))
    return None if name is None else managed_fields.built_in().named(name)
