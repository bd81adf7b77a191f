"""Hard limits instead of priority and fairness: so many reads and writes at a time, the rest is told to retry."""

from kybern.apiserver.core.user import User
from kybern.apiserver.flowcontrol.gate import LONG_RUNNING, Passes, refused
from kybern.kube.rbac import Attributes
from kybern.rpc.exchange.context import CallContext

READING = frozenset({"get", "list", "head"})


class InFlight:
    """The same gate as FlowControl. A limit of 0 is none; system:masters are never refused."""

    def __init__(self, reading: int, mutating: int) -> None:
        self._limits = {True: reading, False: mutating}
        self._open = {True: 0, False: 0}

    def enter(
        self,
        call: CallContext,
        user: User,
        asked: Attributes,
        width: int = 1,
        after: float = 0.0,
        watchers: int = -1,
    ) -> None:
        """Let the call pass. Raises StatusError (429)."""
        if call.warning:
            call.flow = f"\n{call.warning}"
        if asked.verb == "watch" or asked.subresource in LONG_RUNNING or user.is_master:
            return
        reading = asked.verb in READING
        if self._limits[reading] and self._open[reading] >= self._limits[reading]:
            raise refused()
        self._open[reading] += 1
        call.seat = reading

    def passes(self, asked: Attributes) -> Passes:
        """A gate for reads that are answered at once."""
        limit = self._limits[True]
        return lambda call, user: not limit or self._open[True] < limit or user.is_master

    def leave(self, call: CallContext, seconds: float, *, stands: bool = False) -> None:
        """The call is answered."""
        self._open[call.seat] -= 1
        call.seat = None
