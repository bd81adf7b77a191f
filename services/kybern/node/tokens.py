"""ServiceAccount tokens for projected volumes: requested for one pod, renewed when most of their time is over."""

from datetime import datetime, timedelta

from kybern.client.objects import Client
from kybern.client.resources import SERVICE_ACCOUNTS
from kybern.clock import Clock
from kybern.kube import meta
from kybern.kube.meta import Object

RENEW_AFTER = 0.8  # of a token's life
LONGEST_USE = timedelta(hours=24)
DEFAULT_SECONDS = 3600
Key = tuple[str, str, str, int]


class Tokens:
    """Tokens by pod, account, audience and life time."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._tokens: dict[Key, tuple[str, datetime]] = {}

    async def get(self, pod: Object, source: Object) -> str:
        """A token that is good for a while; asks the apiserver only when there is none. Raises StatusError."""
        account = pod["spec"].get("serviceAccountName") or "default"
        seconds = int(source.get("expirationSeconds") or DEFAULT_SECONDS)
        key = (meta.uid(pod), account, source.get("audience") or "", seconds)
        now = self._clock.now()
        if key in self._tokens and now < self._tokens[key][1]:
            return self._tokens[key][0]
        reference = {"kind": "Pod", "apiVersion": "v1", "name": meta.name(pod), "uid": meta.uid(pod)}
        request: Object = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [key[2]] if key[2] else [],
                "expirationSeconds": seconds,
                "boundObjectRef": reference,
            },
        }
        made = await self._client.create_subresource(
            SERVICE_ACCOUNTS, "token", account, request, namespace=meta.namespace(pod)
        )
        status = made["status"]
        expiry = meta.parse_time(status.get("expirationTimestamp")) or now + timedelta(seconds=seconds)
        renew = min(now + (expiry - now) * RENEW_AFTER, now + LONGEST_USE)
        self._tokens[key] = (status["token"], renew)
        return str(status["token"])

    def release(self, uid: str) -> None:
        """A pod is gone."""
        for key in [key for key in self._tokens if key[0] == uid]:
            del self._tokens[key]
