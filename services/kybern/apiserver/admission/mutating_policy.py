"""MutatingAdmissionPolicy: expressions write what is to be changed of an object, each sees what others did.

A policy with reinvocationPolicy IfNeeded is carried out once more when somebody changed the object after it.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from kybern.apiserver.admission.plugin import DELETE, Object
from kybern.apiserver.admission.policy_metrics import INVALID, NO_ERROR
from kybern.apiserver.admission.policy_plugin import PolicyPlugin
from kybern.apiserver.admission.webhook_calls import Write, write_of
from kybern.apiserver.admission.webhook_patch import check_identity, hide, take_over
from kybern.apiserver.registry.field_managers import kind_of
from kybern.apiserver.registry.request import Request
from kybern.kube import managed_fields, meta, schema
from kybern.kube.status import StatusError

if TYPE_CHECKING:
    from kybern.apiserver.admission.policy_dispatch import Denial, Invocation, Speaker
    from kybern.apiserver.admission.policy_mutation import Mutating, Mutation


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
        """Carry out everything that concerns the write as it came. Raises StatusError."""
        from kybern.apiserver.admission.policy_dispatch import Denial, Speaker, invocations

        found = [one async for one in invocations(write, policies)]
        passes = write.request.reinvocation
        rounds = passes.begin(self.name, write.new)
        speaker: Speaker | None = None
        denials = [
            Denial(f"policy {_subject(one)} denied request: {one.error}")
            for one in found
            if one.error and not one.policy.fails_open
        ]
        ran = False
        for invocation in found:
            if invocation.error:
                continue
            speaker = speaker or Speaker(write)
            again = not passes.again or invocation.key in rounds.due
            outcome = await self._invoke(write, invocation, speaker, again)
            if not invocation.policy.fails_open:
                denials += [
                    Denial(f"policy {_subject(invocation)} denied request: {why}", "Invalid") for why in outcome.failed
                ]
            if outcome.changed:
                passes.changed(rounds)
            ran = ran or outcome.ran
            if outcome.took_part and invocation.policy.reinvocable:
                rounds.invoked.add(invocation.key)
        if ran:  # also where nothing has come of it
            passes.changed(rounds)
        rounds.end(write.new)
        if denials:
            raise _refusal(write, denials)
        if ran:
            check_identity(write)

    async def _invoke(self, write: Write, invocation: "Invocation", speaker: "Speaker", due: bool) -> "Outcome":
        """All mutations of a policy, each on what those before it have made. Raises StatusError."""
        policy, values = invocation.policy, await speaker.values(invocation)
        if invocation.param is not None and not invocation.is_custom:  # it does not say what it is
            values["params"] = {name: one for name, one in invocation.param.items() if name not in _TYPE}
        decision = policy.conditions.decide(values)
        if decision.failed:
            return Outcome((decision.error,))
        if not decision.matched or not due:
            return Outcome()
        shown = before = hide(write, values["object"]) or {}
        failed: list[str] = []
        ran = False
        for mutation in policy.mutations if write.new is not None else ():
            why = await self._mutate(write, invocation, mutation, {**values, "object": shown})
            if why:
                failed.append(why)
                continue
            ran = True
            shown = hide(write, await write.seen(write.new, invocation.served)) or {}
        return Outcome(tuple(failed), took_part=True, ran=ran, changed=shown != before)

    async def _mutate(self, write: Write, invocation: "Invocation", mutation: "Mutation", values: Object) -> str:
        """One mutation, counted with its time; why it fails. Raises StatusError."""
        from kybern.apiserver.admission.policy_mutation import MutationFailed, mutate, reading_of

        time, shown = asyncio.get_running_loop().time, values["object"]
        began, why = time(), "not carried out"
        try:
            found = mutate(invocation.policy, mutation, shown, values, _type_of(write, invocation, shown))
            await take_over(write, invocation.served, orjson.loads(orjson.dumps(found)), reading_of(mutation))
            why = ""
        except MutationFailed as error:
            why = str(error)
        finally:
            counted = self.metrics(write.request).count
            counted(invocation.policy.name, invocation.bound, time() - began, _error_type(why))
        return why


_TYPE = ("kind", "apiVersion")


@dataclass(frozen=True)
class Outcome:
    """What came of a policy: why mutations failed, whether one of them ran, and whether the object is another one."""

    failed: tuple[str, ...] = ()
    took_part: bool = False
    ran: bool = False
    changed: bool = False


def _error_type(why: str) -> str:
    return INVALID if why else NO_ERROR


def _subject(invocation: "Invocation") -> str:
    return invocation.subject if invocation.binding is not None else f'"{invocation.policy.name}"'


def _refusal(write: Write, denials: "list[Denial]") -> StatusError:
    """Forbidden as upstream has it: the message is the policy's alone, the reason that of the first denial."""
    from kybern.apiserver.admission.policy_dispatch import refusal

    error = refusal(write, denials)
    error.status["message"] = denials[0].message
    error.status["reason"] = denials[0].reason or "Forbidden"
    return error


def _type_of(write: Write, invocation: "Invocation", shown: Object) -> managed_fields.Type | None:
    """How parts of the object are merged; None for what is no resource by itself: a Scale, an Eviction, options."""
    gvk = meta.gvk(shown)
    if gvk == invocation.served.info.gvk:
        return kind_of(invocation.served, write.request.subresource).type
    served = write.request.server.table.of_kind(shown["apiVersion"], shown["kind"])
    return None if served is None else managed_fields.built_in().named(schema.load().names[gvk])
