"""ServiceAccount tokens: JWTs bound to an audience, a time, and optionally a pod, secret or node.

A token is good while its signature, times and audience are, and the objects it is bound to still exist with the same
UID. Signing and checking use the same key pair, `sa.key`; further public keys can be added for rotation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import jwt
from prometheus_client import CollectorRegistry, Counter

from kybern.apiserver.authentication.token_flags import Issuing
from kybern.apiserver.core.authentication.id_token import issuer_of
from kybern.apiserver.core.user import SERVICE_ACCOUNT_PREFIX, SERVICE_ACCOUNTS, User
from kybern.apiserver.storage.entry import Entry
from kybern.kube.go_values import quoted_list
from kybern.pki.token_keys import TokenKeys

STALE = "authentication.k8s.io/stale-token"
USES = {
    "valid_tokens": "Uses of mounted tokens within the time that was asked for",
    "stale_tokens": "Uses of mounted tokens after the time that was asked for",
}
FORGED = "go-jose/go-jose: error in cryptographic primitive"  # as upstream's library says of any wrong signature
EXTRA = "authentication.kubernetes.io/"
Lookup = Callable[[str, str, str], Entry | None]  # resource, namespace, name


class TokenInvalid(Exception):
    """Why a token is not accepted; for the log and TokenReview, never for the caller."""


class TokenUnknown(TokenInvalid):
    """A token of somebody else's: not worth telling if another authenticator has more to say."""


@dataclass(frozen=True)
class Binding:
    """What a token's life is tied to, beside its service account."""

    kind: str  # Pod, Secret, Node
    name: str
    uid: str


@dataclass(frozen=True)
class TokenUser:
    """Whom a token speaks for, and for which of the server's audiences."""

    user: User
    audiences: tuple[str, ...] = field(default=())
    notes: tuple[tuple[str, str], ...] = ()  # annotations of its requests in the audit log
    warning: str = ""  # told with every answer


class ServiceAccountTokens:
    """Issues and verifies. `lookup` reads the caches."""

    def __init__(self, keys: TokenKeys, issuing: Issuing, lookup: Lookup, registry: CollectorRegistry) -> None:
        self.keys = keys
        self.issuing = issuing
        self.issuer = issuing.issuers[0]
        self.audiences = issuing.own_audiences
        self._lookup = lookup
        self._counts = {name: Counter(f"serviceaccount_{name}", text, registry=registry) for name, text in USES.items()}

    def issue(
        self,
        namespace: str,
        name: str,
        uid: str,
        audiences: Sequence[str],
        now: datetime,
        seconds: int,
        token_id: str,
        bindings: Sequence[Binding] = (),
        warn_after: int = 0,
    ) -> str:
        """A signed token that lives for `seconds`; its uses after `warn_after` seconds, if given, are noted."""
        at = int(now.timestamp())
        private: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        for bound in bindings:
            private[bound.kind.lower()] = {"name": bound.name, "uid": bound.uid}
        if warn_after:
            private["warnafter"] = at + warn_after
        claims = {
            "aud": list(audiences) or list(self.audiences),
            "exp": at + seconds,
            "iat": at,
            "iss": self.issuer,
            "jti": token_id,
            "kubernetes.io": private,
            "nbf": at,
            "sub": f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}",
        }
        return self.keys.sign(claims)

    def verify(self, token: str, now: datetime, audiences: Sequence[str] = ()) -> TokenUser:
        """Raises TokenInvalid. `audiences`: those acceptable, by default the server's own."""
        try:
            issuer = issuer_of(token)
            if issuer not in self.issuing.issuers:
                raise TokenUnknown("Invalid issuer")
            kid = jwt.get_unverified_header(token).get("kid", self.keys.key_id)
            public = self.keys.public.get(kid)
            if public is None:
                raise TokenInvalid("invalid signature, no keys found")
            options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
            claims = jwt.decode(token, public, algorithms=["ES256", "RS256"], issuer=issuer, options=options)
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
            raise TokenInvalid(FORGED) from None
        except jwt.DecodeError as error:
            raise TokenUnknown(str(error)) from None
        except (jwt.PyJWTError, TypeError) as error:  # TypeError: of an algorithm that the key is not for
            raise TokenInvalid(str(error)) from None
        at = now.timestamp()
        if claims.get("exp", 0) <= at:
            raise TokenInvalid("service account token has expired")
        if claims.get("nbf", 0) > at:
            raise TokenInvalid("service account token is not valid yet")
        wanted = tuple(audiences) or self.audiences
        given = claims.get("aud") or []
        matching = tuple(audience for audience in wanted if audience in given)
        if not matching:
            asked = quoted_list(wanted)
            raise TokenInvalid(f"token audiences {quoted_list(given)} is invalid for the target audiences {asked}")
        return TokenUser(self._user(claims), matching, self._notes(claims, at))

    def _notes(self, claims: dict[str, Any], at: float) -> tuple[tuple[str, str], ...]:
        """What the audit log is told of a token that is good for longer than was asked for."""
        warn_after = (claims.get("kubernetes.io") or {}).get("warnafter") or 0
        if not warn_after:
            return ()
        if at <= warn_after:
            self._counts["valid_tokens"].inc()
            return ()
        self._counts["stale_tokens"].inc()
        late = int(at) - int(warn_after)
        return ((STALE, f"subject: {claims['sub']}, seconds after warning threshold: {late}"),)

    def _user(self, claims: dict[str, Any]) -> User:
        """The service account, if it and everything the token is bound to still exists."""
        private = claims.get("kubernetes.io") or {}
        namespace = private.get("namespace", "")
        account = private.get("serviceaccount") or {}
        name, uid = account.get("name", ""), account.get("uid", "")
        if claims.get("sub") != f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}":
            raise TokenInvalid("token subject does not match its service account")
        self._must_exist("serviceaccounts", namespace, name, uid)
        extra = {}
        for kind, resource in (("pod", "pods"), ("secret", "secrets"), ("node", "nodes")):
            bound = private.get(kind)
            if bound:
                if kind != "node" or "pod" not in private:
                    where = "" if kind == "node" else namespace
                    self._must_exist(resource, where, bound.get("name", ""), bound.get("uid", ""))
                if kind != "secret":
                    extra[f"{EXTRA}{kind}-name"] = (bound.get("name", ""),)
                    extra[f"{EXTRA}{kind}-uid"] = (bound.get("uid", ""),)
        if claims.get("jti"):
            extra[f"{EXTRA}credential-id"] = (f"JTI={claims['jti']}",)
        return User(
            f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}",
            (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}"),
            uid,
            extra,
        )

    def _must_exist(self, resource: str, namespace: str, name: str, uid: str) -> None:
        entry = self._lookup(resource, namespace, name)
        if entry is None or entry.uid != uid:
            raise TokenInvalid(f"{resource} {namespace}/{name} of the token is gone")
