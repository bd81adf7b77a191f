"""ValidatingAdmissionWebhook: every webhook that a write concerns is asked at once; one no is enough."""

import asyncio

from kybern.apiserver.admission.plugin import Object, Plugin
from kybern.apiserver.admission.webhook_calls import (
    CallingFailed,
    Write,
    ask,
    concerns,
    match,
    note_failed_open,
    write_of,
)
from kybern.apiserver.admission.webhook_configurations import Configurations, Webhook
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.resource_table import Served
from kybern.apiserver.webhooks.kubeconfig import Users
from kybern.kube.status import StatusError, internal

GROUP, RESOURCE = "admissionregistration.k8s.io", "validatingwebhookconfigurations"


class ValidatingAdmissionWebhook(Plugin):
    """See the module's docstring."""

    name = "ValidatingAdmissionWebhook"

    def __init__(self, users: Users | None = None) -> None:
        self._users = users or Users()
        self._configurations: Configurations | None = None

    def _webhooks(self, request: Request) -> tuple[Webhook, ...]:
        if self._configurations is None:
            self._configurations = Configurations(request.server.table.cacher(GROUP, RESOURCE), self._users)
        return self._configurations.webhooks()

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


async def _verdict(hook: Webhook, write: Write, served: Served, index: int) -> StatusError | None:
    """Why the webhook refuses, if it does."""
    try:
        await ask(hook, write, served, await write.seen(write.new, served), mutating=False)
    except CallingFailed as error:
        if not hook.fails_open:
            return internal(str(error))
        note_failed_open(write, "validating", f"round_0_index_{index}", hook, error)
    except StatusError as error:
        return error
    return None
