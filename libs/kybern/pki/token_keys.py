"""The keys of ServiceAccount tokens: one that signs, and those that verify, by key id."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


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

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token that says this."""
        headers: dict[str, Any] = {"kid": self.key_id, "typ": None}  # None: not there
        return jwt.encode(dict(claims), self.private, algorithm=self.algorithm, headers=headers)


def key_id(public: Any) -> str:
    """Upstream's key id: the hash of the public key's DER form."""
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
