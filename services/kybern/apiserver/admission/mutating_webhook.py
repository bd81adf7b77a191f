"""MutatingAdmissionWebhook: webhooks are asked one after the other, each sees what those before it have changed.

A webhook with reinvocationPolicy IfNeeded is asked once more when somebody changed the object after it.
"""

import orjson

from kybern.apiserver.admission.plugin import DELETE, Object
from kybern.apiserver.admission.webhook_calls import (
    CallingFailed,
    Write,
    ask,
    concerns,
    match,
    note_failed_open,
    write_of,
)
from kybern.apiserver.admission.webhook_configurations import Webhook, WebhookPlugin
from kybern.apiserver.admission.webhook_patch import check_identity, hide, patched, take_over
from kybern.apiserver.admission.webhook_review import Answer
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.resource_table import Served
from kybern.kube.status import StatusError, internal


class MutatingAdmissionWebhook(WebhookPlugin):
    """See the module's docstring."""

    name = "MutatingAdmissionWebhook"
    resource = "mutatingwebhookconfigurations"

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        hooks = self._webhooks(request)
        if hooks:
            await self._dispatch(write_of(request, operation, new, old), hooks)

    async def before_delete(self, request: Request, old: Object) -> None:
        hooks = self._webhooks(request)
        if hooks:
            await self._dispatch(write_of(request, DELETE, None, old), hooks)

    async def _dispatch(self, write: Write, hooks: tuple[Webhook, ...]) -> None:
        passes = write.request.reinvocation
        rounds = passes.begin(self.name, write.new)
        for index, hook in enumerate(concerns(write.request, hooks)):
            served = await match(hook, write)
            if served is None or (passes.again and hook.uid not in rounds.due):
                continue
            if await _call(hook, write, served, f"round_{int(passes.again)}_index_{index}"):
                passes.changed(rounds)
                check_identity(write)
            if hook.reinvocable:
                rounds.invoked.add(hook.uid)
        rounds.end(write.new)


async def _call(hook: Webhook, write: Write, served: Served, at: str) -> bool:
    """Whether the webhook has changed the object. Raises StatusError."""
    annotations = write.request.audit_annotations
    shown = hide(write, await write.seen(write.new, served))
    named = {"configuration": hook.configuration, "webhook": hook.name}
    changed = False
    try:
        answer = await ask(hook, write, served, shown, mutating=True)
        changed = await _changed(hook, write, served, shown, answer)
    except CallingFailed as error:
        if not hook.fails_open:
            raise internal(str(error)) from None
        note_failed_open(write, "mutation", at, hook, error)
        return False
    finally:
        annotations[f"mutation.webhook.admission.k8s.io/{at}"] = orjson.dumps({**named, "mutated": changed}).decode()
    if answer.patch:
        told = orjson.dumps({**named, "patch": orjson.loads(answer.patch), "patchType": answer.patch_type})
        annotations[f"patch.webhook.admission.k8s.io/{at}"] = told.decode()
    return changed


async def _changed(hook: Webhook, write: Write, served: Served, shown: Object | None, answer: Answer) -> bool:
    """Carry out the patch; whether it has changed anything. Raises StatusError (500), CallingFailed."""
    if not answer.patch:
        return False
    try:
        operations = orjson.loads(answer.patch)
    except orjson.JSONDecodeError as error:
        raise CallingFailed(hook.name, f"received undecodable patch in webhook response: {error}") from None
    if not isinstance(operations, list):
        raise CallingFailed(hook.name, "received undecodable patch in webhook response: it is no list")
    if not operations:
        return False
    if answer.patch_type != "JSONPatch":
        raise CallingFailed(hook.name, f'unsupported patch type "{answer.patch_type}"')
    if shown is None or write.new is None:
        raise internal(
            f'admission webhook "{hook.name}" attempted to modify the object, which is not supported for this operation'
        )
    wanted = patched(shown, operations)
    if wanted == shown:
        return False
    try:
        await take_over(write, served, wanted)
    except StatusError as error:
        raise error if error.code >= 500 else internal(error.message) from None
    return True
