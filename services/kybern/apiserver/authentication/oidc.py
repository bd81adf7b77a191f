"""OIDC: tokens of outside issuers, verified with the keys that each issuer publishes.

Keys are fetched at the start and kept. A token signed by a key that is not known yet makes its call wait while the keys
are fetched again, at most once every few seconds.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import jwt
import orjson

from kybern.apiserver.authentication.distributed_claims import DistributedClaims
from kybern.apiserver.authentication.service_account import TokenInvalid, TokenUnknown, TokenUser
from kybern.apiserver.core.authentication.claims import user_of
from kybern.apiserver.core.authentication.id_token import (
    Claims,
    ClaimsRefused,
    IdToken,
    check_audience,
    check_times,
    check_types,
    issuer_of,
    take_apart,
)
from kybern.apiserver.core.authentication.jwt_config import Issuer
from kybern.apiserver.core.user import authenticated
from kybern.apiserver.waiting import MustWait
from kybern.kube.go_values import quoted, quoted_list
from kybern.pki.trust import trust_as_go

if TYPE_CHECKING:
    import aiohttp

TIMEOUT = 10.0  # seconds of one request
RETRY = 10.0  # seconds between attempts to reach an issuer
FRESH = 5.0  # seconds for which keys are not fetched again
LARGEST = 1 << 20  # bytes of a document


class OidcAuthenticator:
    """Every issuer; `run` for the life of the server."""

    def __init__(
        self,
        issuers: Sequence[Issuer],
        now: Callable[[], datetime],
        log: logging.Logger,
        fresh: float = FRESH,
        retry: float = RETRY,
    ) -> None:
        self._issuers: dict[str, Keys] = {}
        self._now = now
        self._log = log
        self._fresh = fresh
        self._retry = retry
        self._changed = asyncio.Event()
        self.configure(issuers)

    def configure(self, issuers: Sequence[Issuer]) -> None:
        """Take other issuers; the keys of those that stay as they are stay, too."""
        before = self._issuers
        self._issuers = {
            issuer.url: known
            if (known := before.get(issuer.url)) is not None and known.issuer == issuer
            else Keys(issuer, self._log, self._fresh)
            for issuer in issuers
        }
        self._distributed = {
            url: DistributedClaims(keys, lambda one: Keys(one, self._log, self._fresh), self._verified, self._now)
            for url, keys in self._issuers.items()
        }
        self._changed.set()

    async def run(self) -> None:
        """Ask issuers that have not been reached yet where their keys are; they are fetched with the first token."""
        while True:
            self._changed.clear()
            missing = [keys for keys in self._issuers.values() if not keys.initialized]
            await asyncio.gather(*(keys.initialize() for keys in missing))
            missing = [keys for keys in missing if not keys.initialized]
            try:
                async with asyncio.timeout(self._retry if missing else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def verify(self, token: str, audiences: tuple[str, ...] = ()) -> TokenUser:
        """Whatever the audience: see Authenticator. Raises TokenInvalid; MustWait, where keys must be fetched."""
        token = "".join(token.split())
        keys = self._issuers.get(issuer_of(token) or "")
        if keys is None:
            raise TokenUnknown("oidc: no issuer of that name")
        issuer = keys.issuer
        try:
            claims = self._verified(keys, take_apart(token))
            check_audience(issuer.audiences, claims)
            check_times(claims, self._now())
        except ClaimsRefused as error:
            raise TokenInvalid(f"oidc: verify token: {error.full}") from None
        try:
            user = user_of(issuer, self._distributed[issuer.url].expanded(claims))
        except ClaimsRefused as error:
            raise TokenInvalid(error.full) from None
        return TokenUser(authenticated(user), audiences)

    def _verified(self, keys: "Keys", token: IdToken) -> Claims:
        """The claims, once the signature is found good. Raises ClaimsRefused, TokenInvalid, MustWait."""
        algorithms = keys.issuer.algorithms
        if token.algorithm not in algorithms:
            expected = quoted_list(sorted(algorithms))
            raise ClaimsRefused(
                f"id token signed with unsupported algorithm, expected {expected} got {quoted(token.algorithm)}"
            )
        for key in keys.candidates(token.key_id):
            try:
                jwt.PyJWS().decode(token.text, key, algorithms=[token.algorithm])
            except (jwt.PyJWTError, TypeError, ValueError):
                continue
            check_types(token.claims)
            return token.claims
        if not keys.initialized:
            raise TokenInvalid("oidc: authenticator not initialized")
        raise ClaimsRefused("failed to verify signature: failed to verify id token signature", by="")


class Keys:
    """The keys of one issuer."""

    def __init__(self, issuer: Issuer, log: logging.Logger, fresh: float) -> None:
        self.issuer = issuer
        self._log = log
        self._fresh = fresh
        self._where = ""  # its keys are, as it has said
        self._known: dict[str, Any] = {}  # by key id; without one by their place
        self._fetched = float("-inf")  # loop.time() of the last attempt
        self._fetching = asyncio.Lock()
        import aiohttp  # only where there are issuers

        context = ssl.create_default_context(cadata=issuer.ca or None)
        trust_as_go(context)
        self._connector: Callable[[], aiohttp.TCPConnector] = lambda: aiohttp.TCPConnector(ssl=context)

    @property
    def initialized(self) -> bool:
        """Whether the issuer has ever said where its keys are."""
        return bool(self._where)

    def candidates(self, kid: str) -> list[Any]:
        """Keys that may have signed. Raises MustWait if a fetch may bring more."""
        found = [self._known[kid]] if kid in self._known else []
        if not kid:
            found = list(self._known.values())
        stale = asyncio.get_running_loop().time() - self._fetched >= self._fresh
        if not found and (stale or self._fetching.locked()):
            raise MustWait(self.fetch)
        return found

    async def fetch(self) -> None:
        """Ask the issuer, unless that was done a moment ago; a failure is logged."""
        import aiohttp

        asked = asyncio.get_running_loop().time()
        async with self._fetching:
            if self._fetched >= asked:
                return  # somebody else has, meanwhile
            try:
                self._known = await self._ask()
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
                self._log.warning("oidc: keys of %s: %s", self.issuer.url, str(error) or type(error).__name__)
            self._fetched = asyncio.get_running_loop().time()

    async def initialize(self) -> None:
        """Ask the issuer where its keys are; a failure is logged."""
        import aiohttp

        async with self._fetching:
            try:
                async with self._session() as session:
                    await self._locate(session)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
                self._log.warning("oidc: %s: %s", self.issuer.url, str(error) or type(error).__name__)

    async def read(self, url: str, headers: dict[str, str]) -> bytes:
        """What is at another URL of the issuer's. Raises what aiohttp raises, ValueError."""
        async with self._session() as session:
            return await _bytes(session, url, headers)

    def _session(self) -> "aiohttp.ClientSession":
        import aiohttp

        return aiohttp.ClientSession(connector=self._connector(), timeout=aiohttp.ClientTimeout(total=TIMEOUT))

    async def _locate(self, session: "aiohttp.ClientSession") -> None:
        document = await _json(session, self.issuer.document_url)
        if document.get("issuer") != self.issuer.url:
            raise ValueError(f"the issuer calls itself {document.get('issuer')!r}")
        self._where = str(document["jwks_uri"])

    async def _ask(self) -> dict[str, Any]:
        """Raises what aiohttp raises, ValueError, KeyError."""
        async with self._session() as session:
            if not self._where:
                await self._locate(session)
            listed = (await _json(session, self._where)).get("keys")
        return usable_keys(listed, self.issuer.url, self._log)


def usable_keys(listed: Any, issuer: str, log: logging.Logger) -> dict[str, Any]:
    """The keys of a JWKS that sign, by key id, or by their place without one; what is no key is passed over."""
    found: dict[str, Any] = {}
    for index, key in enumerate(listed if isinstance(listed, list) else ()):
        try:
            if key.get("use") in (None, "sig"):
                found[str(key.get("kid") or f"#{index}")] = jwt.PyJWK(key).key
        except (jwt.PyJWTError, AttributeError, KeyError, TypeError, ValueError) as error:
            log.info("oidc: a key of %s is of no use: %s", issuer, error)
    return found


async def _json(session: "aiohttp.ClientSession", url: str) -> Any:
    document = orjson.loads(await _bytes(session, url, {}))
    if not isinstance(document, dict):
        raise ValueError(f"{url} is no object")
    return document


async def _bytes(session: "aiohttp.ClientSession", url: str, headers: dict[str, str]) -> bytes:
    data = bytearray()
    async with session.get(url, headers=headers) as response:
        response.raise_for_status()
        async for chunk in response.content.iter_chunked(64 << 10):
            data += chunk
            if len(data) > LARGEST:
                raise ValueError(f"{url} is too large")
    return bytes(data)
