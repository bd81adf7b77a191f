"""ServiceAccount tokens: JWTs bound to an audience, a time, and optionally a pod, secret or node.

A token is good while its signature, times and audience are, and the objects it is bound to still exist with the same
UID. Signing and checking use the same key pair, `sa.key`; further public keys can be added for rotation.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kybern.apiserver.core.user import SERVICE_ACCOUNT_PREFIX, SERVICE_ACCOUNTS, User
from kybern.apiserver.storage.entry import Entry

DEFAULT_ISSUER = "https://kubernetes.default.svc.cluster.local"
EXTRA = "authentication.kubernetes.io/"
Lookup = Callable[[str, str, str], Entry | None]  # resource, namespace, name
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class TokenInvalid(Exception):
    """Why a token is not accepted; for the log and TokenReview, never for the caller."""


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


class TokenKeys:
    """The key that signs, and the public keys that verify, by key id."""

    def __init__(self, private: PrivateKey) -> None:
        self.private = private
        self.algorithm = "ES256" if isinstance(private, ec.EllipticCurvePrivateKey) else "RS256"
        self.key_id = key_id(private.public_key())
        self.public: dict[str, Any] = {self.key_id: private.public_key()}

    @classmethod
    def read(cls, path: Path) -> "TokenKeys":
        """From a PEM file. Raises OSError, ValueError."""
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError("neither an EC nor an RSA private key")
        return cls(key)


def key_id(public: Any) -> str:
    """Upstream's key id: the hash of the public key's DER form."""
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


class ServiceAccountTokens:
    """Issues and verifies. `lookup` reads the caches."""

    def __init__(self, keys: TokenKeys, issuer: str, audiences: Sequence[str], lookup: Lookup) -> None:
        self.keys = keys
        self.issuer = issuer
        self.audiences = tuple(audiences) or (issuer,)
        self._lookup = lookup

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
    ) -> str:
        """A signed token that lives for `seconds`."""
        at = int(now.timestamp())
        private: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        for bound in bindings:
            private[bound.kind.lower()] = {"name": bound.name, "uid": bound.uid}
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
        key = self.keys
        return jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"kid": key.key_id})

    def verify(self, token: str, now: datetime, audiences: Sequence[str] = ()) -> TokenUser:
        """Raises TokenInvalid. `audiences`: those acceptable, by default the server's own."""
        try:
            kid = jwt.get_unverified_header(token).get("kid", self.keys.key_id)
            public = self.keys.public.get(kid)
            if public is None:
                raise TokenInvalid("signed by an unknown key")
            options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
            claims = jwt.decode(token, public, algorithms=["ES256", "RS256"], issuer=self.issuer, options=options)
        except jwt.PyJWTError as error:
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
            raise TokenInvalid(f"token audiences {given} is invalid for the target audiences {list(wanted)}")
        return TokenUser(self._user(claims), matching)

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
