"""The key pair that signs ServiceAccount tokens: DIR/sa.key and DIR/sa.pub, RS256 as kubeadm makes it."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kybern.pki.authority import AuthorityUnusable
from kybern.pki.files import write_atomic

ALGORITHM = "RS256"


@dataclass(frozen=True)
class SigningKey:
    """PEM of both halves."""

    private: bytes
    public: bytes
    algorithm: str = ALGORITHM


def open_signing_key(directory: Path) -> SigningKey:
    """The directory's key, made if there is none. sa.pub is always derived from sa.key."""
    path = directory / "sa.key"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_atomic(path, pem, 0o600)
    try:
        private = path.read_bytes()
        loaded = serialization.load_pem_private_key(private, None)
    except (OSError, ValueError, TypeError) as e:
        raise AuthorityUnusable(f"cannot use the ServiceAccount signing key {path}: {e}") from e
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise AuthorityUnusable(f"the ServiceAccount signing key {path} is not an RSA key")
    public = loaded.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if not (directory / "sa.pub").exists() or (directory / "sa.pub").read_bytes() != public:
        write_atomic(directory / "sa.pub", public, 0o644)
    return SigningKey(private, public)
