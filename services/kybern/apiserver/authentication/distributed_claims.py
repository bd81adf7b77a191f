"""Distributed claims fetched: the endpoint's answer is a JWT of its own, verified by the keys of the issuer it names.

The endpoint is trusted because a token with a good signature names it. An answer holds for a moment only; a call that
needs one waits for it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import jwt

from kybern.apiserver.authentication.service_account import TokenInvalid
from kybern.apiserver.core.authentication.claims import ClaimsRefused, check_times, matching_audiences
from kybern.apiserver.core.authentication.distributed_claims import COULD_NOT, Source, source_of
from kybern.apiserver.core.authentication.jwt_config import Issuer, Mapped
from kybern.apiserver.waiting import MustWait
from kybern.apiserver.webhooks.asked_once import AskedOnce

if TYPE_CHECKING:
    from kybern.apiserver.authentication.oidc import Keys

REMEMBERED = 4096
SECONDS = 1.0  # for which an answer holds
Claims = dict[str, Any]


class DistributedClaims:
    """Those of one issuer's tokens. `own` are its keys, `keys_of` makes those of another issuer."""

    def __init__(
        self,
        own: "Keys",
        keys_of: Callable[[Issuer], "Keys"],
        decode: Callable[["Keys", str, str, str], Any],
        now: Callable[[], datetime],
    ) -> None:
        self._own, self._issuer = own, own.issuer
        self._keys_of, self._decode, self._now = keys_of, decode, now
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
        try:
            header = jwt.get_unverified_header(token)
            url = str(jwt.decode(token, options={"verify_signature": False}).get("iss") or "")
        except jwt.PyJWTError as error:
            raise ClaimsRefused(f"verify distributed claim token: oidc: malformed jwt: {error}") from None
        if header.get("alg") not in self._issuer.algorithms:
            raise ClaimsRefused("verify distributed claim token: id token signed with unsupported algorithm")
        if url not in self._keys:
            about = Issuer(url, self._issuer.audiences, Mapped(), ca=self._issuer.ca)
            self._keys[url] = self._keys_of(about)
        keys = self._keys[url]
        while True:
            try:
                found: Claims = self._decode(keys, token, str(header.get("kid") or ""), str(header["alg"]))
                break
            except MustWait as wait:
                await wait.over()
        check_times(found, self._now().timestamp())
        matching_audiences(self._issuer, found)
        if source.claim not in found:
            raise ClaimsRefused(
                f'jwt returned by distributed claim endpoint "{source.endpoint}" did not contain claim: {source.claim}'
            )
        return found[source.claim]
