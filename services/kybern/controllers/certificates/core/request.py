"""A CertificateSigningRequest as its controllers see it: what it asks for and how far it has come."""

from base64 import b64decode
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from kybern.kube import meta
from kybern.kube.conditions import is_condition_true
from kybern.kube.meta import Object

NODES, NODE_PREFIX = "system:nodes", "system:node:"


@dataclass(frozen=True)
class Wanted:
    """The contents of the X.509 request."""

    csr: x509.CertificateSigningRequest
    common_name: str = ""
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    usages: tuple[str, ...] = ()


def read(request: Object) -> Wanted:
    """What is asked for. Raises ValueError."""
    csr = x509.load_pem_x509_csr(b64decode(request["spec"].get("request") or ""))
    names = [str(name.value) for name in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    organizations = [str(name.value) for name in csr.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    try:
        san = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        san = x509.SubjectAlternativeName([])
    return Wanted(
        csr,
        names[-1] if names else "",
        tuple(organizations),
        tuple(san.get_values_for_type(x509.DNSName)),
        tuple(str(ip) for ip in san.get_values_for_type(x509.IPAddress)),
        tuple(san.get_values_for_type(x509.RFC822Name)),
        tuple(san.get_values_for_type(x509.UniformResourceIdentifier)),
        tuple(request["spec"].get("usages") or ()),
    )


def signer(request: Object) -> str:
    return str(request["spec"].get("signerName") or "")


def is_approved(request: Object) -> bool:
    """Approved, and not denied."""
    return is_condition_true(request, "Approved") and not is_condition_true(request, "Denied")


def is_open(request: Object) -> bool:
    """Whether it waits for its certificate."""
    issued = bool((request.get("status") or {}).get("certificate"))
    return is_approved(request) and not issued and not is_condition_true(request, "Failed")


def key(request: Object) -> str:
    return meta.name(request)
