"""ValidatingAdmissionWebhook: every webhook that a write concerns is asked at once; one no is enough."""

import asyncio

from kybern.apiserver.admission.plugin import Object
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
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.resource_table import Served
from kybern.kube.status import StatusError, internal


class ValidatingAdmissionWebhook(WebhookPlugin):
    """See the module's docstring."""

    name = "ValidatingAdmissionWebhook"
    resource = "validatingwebhookconfigurations"

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        hooks = self._webhooks(request)
        if not hooks:
            return
        write = write_of(request, operation, new, old)
        wanted: list[tuple[Webhook, Served]] = []
        for hook in concerns(request, hooks):
            served = await match(hook, write)
            if served is not None:
                wanted.append((hook, served))
        if not wanted:
            return
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(_verdict(hook, write, served, i)) for i, (hook, served) in enumerate(wanted)]
        for task in asked:
            error = task.result()
            if error is not None:
                raise error


def _settled(write: Write, shown: Object | None) -> Object | None:
    """The object as it is about to be stored: an update is of the revision that it replaces."""
    if shown is None or write.old is None or not isinstance(shown.get("metadata"), dict):
        return shown
    version = write.old["metadata"].get("resourceVersion")
    if not version or shown["metadata"].get("resourceVersion"):
        return shown
    return {**shown, "metadata": {**shown["metadata"], "resourceVersion": version}}


async def _verdict(hook: Webhook, write: Write, served: Served, index: int) -> StatusError | None:
    """Why the webhook refuses, if it does."""
    try:
        await ask(hook, write, served, _settled(write, await write.seen(write.new, served)), mutating=False)
    except CallingFailed as error:
        if not hook.fails_open:
            return internal(str(error))
        note_failed_open(write, "validating", f"round_0_index_{index}", hook, error)
    except StatusError as error:
        return error
    return None
