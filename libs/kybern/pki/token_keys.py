"""The keys of ServiceAccount tokens: one that signs, and those that verify, by key id."""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----\n?", re.DOTALL)
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

    def trust(self, pem: bytes) -> None:
        """Verify with these, too: public keys, private keys or certificates. Raises ValueError."""
        found = [_public(block.group(0), block.group(1)) for block in _PEM.finditer(pem)]
        if not found:
            raise ValueError("no key and no certificate in PEM")
        self.public.update((key_id(public), public) for public in found)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token that says this."""
        headers: dict[str, Any] = {"kid": self.key_id, "typ": None}  # None: not there
        return jwt.encode(dict(claims), self.private, algorithm=self.algorithm, headers=headers)


def _public(block: bytes, kind: bytes) -> Any:
    if kind == b"CERTIFICATE":
        public: Any = x509.load_pem_x509_certificate(block).public_key()
    elif kind.endswith(b"PRIVATE KEY"):
        public = serialization.load_pem_private_key(block, None).public_key()
    else:
        public = serialization.load_pem_public_key(block)
    if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise ValueError("neither an EC nor an RSA key")
    return public


def key_id(public: Any) -> str:
    """Upstream's key id: the hash of the public key's DER form."""
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
