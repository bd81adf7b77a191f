"""Who calls: the user and groups in the client certificate that TLS has verified.

A certificate's common name is the user, its organizations are the groups, as in Kubernetes. The parsed result is
kept per certificate (the PEM that TLS hands over is the key), never per address: addresses are reused, certificates
are not.
"""

from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from kybern.rpc.transport import Identity

NOBODY = Identity("")


@lru_cache(maxsize=4096)
def certificate_identity(pem: bytes) -> Identity:
    """User and groups in a PEM certificate."""
    subject = x509.load_pem_x509_certificate(pem).subject
    names = [str(name.value) for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [str(name.value) for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return Identity(names[0] if names else "", tuple(groups))


def peer(context: Any) -> Identity:
    """The identity behind a servicer context, on either transport; `NOBODY` without a certificate."""
    known: Identity | None = getattr(context, "identity", None)  # in memory
    if known is not None:
        return known
    pem = context.auth_context().get("x509_pem_cert")
    return certificate_identity(pem[0]) if pem else NOBODY
