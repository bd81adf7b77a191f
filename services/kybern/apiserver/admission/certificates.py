"""CertificateApproval, CertificateSigning, CertificateSubjectRestriction: who may approve and sign for which signer."""

from base64 import b64decode

from cryptography import x509
from cryptography.x509.oid import NameOID

from kybern.apiserver.admission.plugin import CREATE, UPDATE, Object, Plugin
from kybern.apiserver.core.user import MASTERS
from kybern.apiserver.registry.request import Request
from kybern.kube.rbac import Attributes
from kybern.kube.status import forbidden

GROUP, RESOURCE = "certificates.k8s.io", "certificatesigningrequests"
CONCERNS = frozenset({(GROUP, RESOURCE)})
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


class CertificateApproval(Plugin):
    """Approving needs the verb `approve` on the signer."""

    name = "CertificateApproval"
    concerns = CONCERNS

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        if operation == UPDATE and request.subresource == "approval" and old is not None:
            _check(request, "approve", (old.get("spec") or {}).get("signerName") or "")


class CertificateSigning(Plugin):
    """Writing a certificate needs the verb `sign` on the signer."""

    name = "CertificateSigning"
    concerns = CONCERNS

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        if operation != UPDATE or request.subresource != "status" or new is None or old is None:
            return
        before, after = old.get("status") or {}, new.get("status") or {}
        if before.get("certificate") != after.get("certificate") or before.get("conditions") != after.get("conditions"):
            _check(request, "sign", (old.get("spec") or {}).get("signerName") or "")


class CertificateSubjectRestriction(Plugin):
    """Nobody requests a client certificate of the group system:masters."""

    name = "CertificateSubjectRestriction"
    concerns = CONCERNS

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        if operation != CREATE or request.subresource or new is None:
            return
        spec = new.get("spec") or {}
        if spec.get("signerName") == CLIENT_SIGNER and MASTERS in _organizations(spec.get("request") or ""):
            why = f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed"
            raise forbidden(GROUP, RESOURCE, request.name, why)


def _check(request: Request, verb: str, signer: str) -> None:
    """The right on the signer itself or on its whole domain."""
    names = (signer, f"{signer.partition('/')[0]}/*")
    may = request.server.authorizer.may
    if not any(may(request.user, Attributes(verb, GROUP, "signers", name=name, version="*")) for name in names):
        why = f'user not permitted to {verb} requests with signerName "{signer}"'
        raise forbidden(GROUP, RESOURCE, request.name, why)


def _organizations(request: str) -> list[str]:
    """The organizations in a base64 PEM request; what cannot be read has been refused by validation."""
    try:
        subject = x509.load_pem_x509_csr(b64decode(request)).subject
    except ValueError:
        return []
    return [str(name.value) for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
