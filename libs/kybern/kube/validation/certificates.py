"""CertificateSigningRequest: what is asked of which signer, who may say yes, and a certificate that stays."""

from kybern.kube.field import duplicate, forbidden, invalid, not_supported, required, too_long
from kybern.kube.validation.certificate_pem import certificate_problem, request_problem
from kybern.kube.validation.fields import Errors, Object, child, items
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain

_LEGACY = "kubernetes.io/legacy-unknown"
_SHORTEST = 600
# A subdomain, a slash and the longest object name that fits beside a signer's path.
_LONGEST_SIGNER = 253 + 1 + 63 + 1 + 253
_USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
)  # fmt: skip
_DECISIONS = ("Approved", "Denied")
_LASTING = (*_DECISIONS, "Failed")  # conditions that nobody takes back


def validate_signing_request(obj: Object) -> Errors:
    spec = child(obj, "spec")
    request = spec.get("request")
    wrong = request_problem(request)
    if wrong:
        yield invalid("spec.request", request, wrong)
    usages = items(spec, "usages")
    if not usages:
        yield required("spec.usages")
    for index, usage in enumerate(usages):
        if usage not in _USAGES:
            yield not_supported(f"spec.usages[{index}]", usage, _USAGES)
        if usage in usages[:index]:
            yield duplicate(f"spec.usages[{index}]", usage)
    signer = spec.get("signerName") or ""
    if not signer:
        yield required("spec.signerName")
    elif signer == _LEGACY:
        yield invalid("spec.signerName", signer, "the legacy signerName is not allowed via this API version")
    else:
        yield from _signer_name(signer, "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _SHORTEST:
        detail = "may not specify a duration less than 600 seconds (10 minutes)"
        yield invalid("spec.expirationSeconds", seconds, detail)


def validate_approval_update(obj: Object, old: Object) -> Errors:
    """A decision: added for good."""
    yield from _status(child(obj, "status"))
    yield from _lasting(obj, old, may_decide=True)


def validate_status_update(obj: Object, old: Object) -> Errors:
    """A signer's answer: no decision, and a certificate only once."""
    yield from _status(child(obj, "status"))
    yield from _lasting(obj, old, may_decide=False)
    had = child(old, "status").get("certificate")
    if had and had != child(obj, "status").get("certificate"):
        yield forbidden("status.certificate", "updates may not modify existing certificate content")


def _signer_name(name: str, path: str) -> Errors:
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        yield invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")
        return
    labels = domain.split(".")
    for label in labels:
        for problem in dns1123_label(label):
            yield invalid(path, domain, f'validating label "{label}": {problem}')
    if len(labels) < 2:
        yield invalid(path, domain, "should be a domain with at least two segments separated by dots")
    for label in rest.split("."):
        for problem in dns1123_subdomain(label):
            yield invalid(path, rest, f'validating label "{label}": {problem}')
    if len(name) > _LONGEST_SIGNER:
        yield too_long(path, _LONGEST_SIGNER)


def _status(status: Object) -> Errors:
    conditions = items(status, "conditions")
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        at, kind, answer = f"status.conditions[{index}]", condition.get("type") or "", condition.get("status") or ""
        if not kind:
            yield required(f"{at}.type")
        supported = ("True",) if kind in _LASTING else ("True", "False", "Unknown")
        if not answer:
            yield required(f"{at}.status")
        elif answer not in supported:
            yield not_supported(f"{at}.status", answer, supported)
        if kind in seen:
            yield duplicate(f"{at}.type", kind)
        seen.add(kind)
    if seen >= {*_DECISIONS}:
        yield invalid("status.conditions", _last(conditions), "Approved and Denied conditions are mutually exclusive")
    wrong = certificate_problem(status.get("certificate"))
    if wrong:
        yield invalid("status.certificate", "<certificate data>", wrong)


def _last(conditions: list[Object]) -> str:
    return str([one["type"] for one in conditions if one.get("type") in _DECISIONS][-1])


def _lasting(obj: Object, old: Object, *, may_decide: bool) -> Errors:
    new, before = (items(child(one, "status"), "conditions") for one in (obj, old))
    for kind in _LASTING:
        now, had = ([one for one in those if one.get("type") == kind] for those in (new, before))
        if had and not now:
            yield forbidden("status.conditions", f'updates may not remove a condition of type "{kind}"')
        elif kind in _DECISIONS and len(now) > len(had) and not may_decide:
            yield forbidden("status.conditions", f'updates may not add a condition of type "{kind}"')
