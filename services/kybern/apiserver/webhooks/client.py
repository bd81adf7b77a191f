"""WebhookClient: HTTPS POSTs to webhooks. Before the first there is neither a socket nor the library for them."""

from typing import TYPE_CHECKING

from kybern.apiserver.webhooks.metrics import WebhookMetrics
from kybern.apiserver.webhooks.resolver import Resolver
from kybern.apiserver.webhooks.target import ANONYMOUS, Credentials, Target

if TYPE_CHECKING:
    from kybern.apiserver.webhooks.connections import Connections

AGENT = "kube-apiserver-admission"


class CallFailed(Exception):
    """The message says what happened, `Post "https://…": why` where the webhook was not reached.

    `code` is that of an HTTP answer, 0 without one; `transient` says that another try may help.
    """

    def __init__(self, message: str, code: int = 0, *, reset: bool = False, timeout: bool = False) -> None:
        super().__init__(message)
        self.code, self.timeout = code, timeout
        self.transient = reset or code == 429 or (code >= 500 and code != 503)


class WebhookClient:
    """`post` one body and have the answer's."""

    def __init__(self, resolver: Resolver, metrics: WebhookMetrics) -> None:
        self._resolver = resolver
        self.metrics = metrics
        self._connections: Connections | None = None

    async def post(
        self,
        target: Target,
        body: bytes,
        seconds: float,
        credentials: Credentials = ANONYMOUS,
        traceparent: str = "",
        agent: str = AGENT,
    ) -> bytes:
        """The body of a successful answer. Raises CallFailed."""
        if self._connections is None:
            from kybern.apiserver.webhooks.connections import Connections

            self._connections = Connections(self._resolver)
        return await self._connections.post(target, body, seconds, credentials, traceparent, agent)

    async def close(self) -> None:
        """Close every connection."""
        if self._connections is not None:
            await self._connections.close()
