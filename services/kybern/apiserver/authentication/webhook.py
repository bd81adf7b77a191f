"""Webhook token authentication: whom a bearer token speaks for is asked of somebody else, by TokenReview.

Answers are remembered; a token that is not known yet makes its call wait for the answer.
"""

from dataclasses import dataclass
from typing import Any

from kybern.apiserver.authentication.service_account import TokenInvalid, TokenUnknown, TokenUser
from kybern.apiserver.core.user import User, authenticated
from kybern.apiserver.webhooks.asked_once import AskedOnce
from kybern.apiserver.webhooks.client import CallFailed, WebhookClient
from kybern.apiserver.webhooks.kubeconfig import Remote
from kybern.apiserver.webhooks.review import ask
from kybern.kube.go_values import quoted_list

Object = dict[str, Any]
GROUP = "authentication.k8s.io"
REMEMBERED = 4096
CALL_SECONDS = 30.0
Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class TokenSettings:
    """What the flags --authentication-token-webhook-… say."""

    remote: Remote
    version: str = "v1beta1"
    ttl: float = 120.0


class TokenWebhook:
    """See the module's docstring."""

    def __init__(self, settings: TokenSettings, client: WebhookClient, audiences: tuple[str, ...]) -> None:
        self._settings, self._client, self._audiences = settings, client, audiences
        self._answers = AskedOnce(self._answer, REMEMBERED)

    def verify(self, token: str, audiences: tuple[str, ...] = ()) -> TokenUser:
        """Raises TokenInvalid, MustWait."""
        found = self._answers.answer((token, audiences or self._audiences))
        if isinstance(found, TokenInvalid):
            raise found.with_traceback(None)  # a trace for each time that it is raised would not end
        return found

    async def _answer(self, key: Key) -> tuple[TokenUser | TokenInvalid, float]:
        try:
            return await self._ask(key), self._settings.ttl
        except TokenUnknown as error:
            return error, self._settings.ttl
        except TokenInvalid as error:
            return error, 0.0
        except CallFailed as error:
            return TokenInvalid(str(error)), 0.0

    async def _ask(self, key: Key) -> TokenUser:
        token, audiences = key
        version, remote = f"{GROUP}/{self._settings.version}", self._settings.remote
        spec: Object = {"token": token, "audiences": list(audiences)}
        frame = {"kind": "TokenReview", "apiVersion": version, "metadata": {}}
        review = {**frame, "spec": spec, "status": {"user": {}}}
        status = await ask(self._client, remote, review, CALL_SECONDS)
        return read_status(status, audiences, self._audiences)


def read_status(status: Object, audiences: tuple[str, ...], own: tuple[str, ...]) -> TokenUser:
    """The user in a TokenReview's status; without audiences there it is for the server's own.

    Raises TokenInvalid.
    """
    if not status.get("authenticated"):
        if status.get("error"):
            raise TokenInvalid(status["error"])
        raise TokenUnknown("the webhook does not know the token")
    given = status.get("audiences") or own
    matching = tuple(one for one in audiences if one in given)
    if audiences and not matching:
        told, asked = quoted_list(given), quoted_list(audiences)
        raise TokenInvalid(f"token audiences {told} is invalid for the target audiences {asked}")
    user = status.get("user") or {}
    extra = {name: tuple(values or ()) for name, values in (user.get("extra") or {}).items()}
    found = User(user.get("username") or "", tuple(user.get("groups") or ()), user.get("uid") or "", extra)
    return TokenUser(authenticated(found), matching)
