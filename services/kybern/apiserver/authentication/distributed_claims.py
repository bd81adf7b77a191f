"""Distributed claims fetched: the endpoint's answer is a JWT of its own, verified by the keys of the issuer it names.

The endpoint is trusted because a token with a good signature names it. An answer holds for a moment only; a call that
needs one waits for it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kybern.apiserver.authentication.service_account import TokenInvalid
from kybern.apiserver.core.authentication.distributed_claims import COULD_NOT, Source, source_of
from kybern.apiserver.core.authentication.id_token import (
    Claims,
    ClaimsRefused,
    IdToken,
    check_audience,
    check_times,
    issuer_of,
    take_apart,
)
from kybern.apiserver.core.authentication.jwt_config import Issuer, Mapped
from kybern.apiserver.waiting import MustWait
from kybern.apiserver.webhooks.asked_once import AskedOnce

if TYPE_CHECKING:
    from kybern.apiserver.authentication.oidc import Keys

REMEMBERED = 4096
SECONDS = 1.0  # for which an answer holds
VERIFY = "verify distributed claim token: "


class DistributedClaims:
    """Those of one issuer's tokens. `own` are its keys, `keys_of` makes those of another issuer."""

    def __init__(
        self,
        own: "Keys",
        keys_of: Callable[[Issuer], "Keys"],
        verified: Callable[["Keys", IdToken], Claims],
        now: Callable[[], datetime],
    ) -> None:
        self._own, self._issuer = own, own.issuer
        self._keys_of, self._verified, self._now = keys_of, verified, now
        self._keys: dict[str, Keys] = {}
        self._answers: AskedOnce[Source, Any] = AskedOnce(self._answer, REMEMBERED)

    def expanded(self, claims: Claims) -> Claims:
        """The claims, the groups among them. Raises ClaimsRefused, MustWait."""
        source = source_of(self._issuer.groups.claim, claims)
        if source is None:
            return claims
        found = self._answers.answer(source)
        if isinstance(found, ClaimsRefused):
            raise found.with_traceback(None)  # a trace for each time that it is raised would not end
        return {**claims, source.claim: found}

    async def _answer(self, source: Source) -> tuple[Any, float]:
        import aiohttp

        try:
            return await self._ask(source), SECONDS
        except (ClaimsRefused, TokenInvalid, ValueError) as error:
            return ClaimsRefused(f"{COULD_NOT}{error}"), SECONDS
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = str(error) or type(error).__name__
            return ClaimsRefused(f'{COULD_NOT}while getting distributed claim "{source.claim}": {why}'), SECONDS

    async def _ask(self, source: Source) -> Any:
        headers = {"Authorization": f"Bearer {source.access_token}"} if source.access_token else {}
        token = (await self._own.read(source.endpoint, headers)).decode("utf-8", "replace").strip()
        url = issuer_of(token)
        if url is None:
            raise ClaimsRefused(f"{VERIFY}oidc: malformed jwt")
        if url not in self._keys:
            own = self._issuer
            about = Issuer(url, own.audiences, Mapped(), ca=own.ca, algorithms=own.algorithms)
            self._keys[url] = self._keys_of(about)
        try:
            found = await self._claims(self._keys[url], token)
            check_audience(self._issuer.audiences, found)
            check_times(found, self._now())
        except ClaimsRefused as error:
            raise ClaimsRefused(f"{VERIFY}{error.full}") from None
        if source.claim not in found:
            raise ClaimsRefused(
                f'jwt returned by distributed claim endpoint "{source.endpoint}" did not contain claim: {source.claim}'
            )
        return found[source.claim]

    async def _claims(self, keys: "Keys", token: str) -> Claims:
        """Those of the answer, which this issuer's algorithms have signed. Raises ClaimsRefused, TokenInvalid."""
        while True:
            try:
                return self._verified(keys, take_apart(token))
            except MustWait as wait:
                await wait.over()
