"""Bootstrap tokens, verified against the Secrets in the cache."""

from collections.abc import Callable
from datetime import datetime

from kybern.apiserver.authentication.service_account import Lookup, TokenUnknown, TokenUser
from kybern.apiserver.core.authentication.bootstrap_token import NAMESPACE, PREFIX, Refused, split, user_of
from kybern.apiserver.core.user import authenticated


class BootstrapTokens:
    """`lookup` reads the caches."""

    def __init__(self, lookup: Lookup, now: Callable[[], datetime]) -> None:
        self._lookup = lookup
        self._now = now

    def verify(self, token: str, audiences: tuple[str, ...] = ()) -> TokenUser:
        """Raises TokenUnknown: what is wrong with a token's Secret is not told."""
        parts = split(token)
        if parts is None:
            raise TokenUnknown("not a bootstrap token")
        entry = self._lookup("secrets", NAMESPACE, PREFIX + parts[0])
        if entry is None:
            raise TokenUnknown("no such bootstrap token")
        try:
            return TokenUser(authenticated(user_of(entry.decode(), *parts, self._now())), audiences)
        except Refused as error:
            raise TokenUnknown(f"bootstrap token {parts[0]}: {error}") from None
