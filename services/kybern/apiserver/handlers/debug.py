"""What this process says below /debug to those who may ask: flow control's tables, what it is doing, its log level."""

import asyncio

from kybern.apiserver.core.user import User
from kybern.apiserver.flowcontrol.dump import dump
from kybern.apiserver.flowcontrol.flows import Flow, Held
from kybern.apiserver.server import ApiServer
from kybern.kube.rbac import Attributes
from kybern.protos.api.v1.objects_pb2 import CheckAccessRequest
from kybern.runtime import sampling
from kybern.telemetry.logs import set_verbosity

PPROF = "/debug/pprof/"
PROFILE, TASKS = f"{PPROF}profile", f"{PPROF}goroutine"


async def debug(server: ApiServer, message: CheckAccessRequest, asker: Held | None) -> bytes | None:
    """The document at a path, or None where there is none of the apiserver's. `asker` is the call itself."""
    if message.HasField("verbosity"):
        set_verbosity(message.verbosity)
    if message.path == PROFILE and message.query:  # else it is only asked whether the caller may
        return sampling.encode(await sampling.sampled(sampling.seconds_in(message.query)))
    if message.path == TASKS:
        return sampling.describe("apiserver", asyncio.all_tasks()).encode()
    now, at = server.clock.now(), asyncio.get_running_loop().time()

    def version_of(asked: Attributes) -> str:
        known = server.table.served
        found = (version for group, version, name in known if (group, name) == (asked.group, asked.resource))
        return next(found, "")

    return dump(server.flow, message.path, message.query, now, at, asker, version_of)


def asker_of(seat: object, user: User, asked: Attributes, began: float) -> Held | None:
    """A call as flow control shows it that is answered now."""
    return Held(seat, 1, user, asked, began=began) if isinstance(seat, Flow) else None
