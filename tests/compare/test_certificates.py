"""CertificateSigningRequests: what may be asked, who may decide and sign, and what stays."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import numbers
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from same import Both, differences, readable

PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
KEY = ec.generate_private_key(ec.SECP256R1())
CLIENT = "kubernetes.io/kube-apiserver-client"
SIGNERS = ["certificatesigningrequests", "certificatesigningrequests/approval", "certificatesigningrequests/status"]


def name(common: str, *organizations: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    return x509.Name([*parts, *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, one) for one in organizations)])


def request(common: str = "x", *organizations: str) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(name(common, *organizations))
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM)


def certificate(common: str = "x") -> bytes:
    now, who = datetime.now(UTC), name(common)
    builder = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(KEY.public_key())
    builder = builder.serial_number(5).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


GOOD, CERT = request(), certificate()


def body(called: str = "", **spec: Any) -> dict[str, Any]:
    base = {"request": encoded(GOOD), "signerName": "example.com/s", "usages": ["client auth"]}
    return {"metadata": {"name": called or f"csr-{next(numbers)}"}, "spec": {**base, **spec}}


def alike(both: Both, *arguments: Any, **named: Any) -> None:
    """The same answer; each server has issued certificates of its own to its clients."""
    pair = both.ask(*arguments, **named)
    texts = [json.dumps(readable(answer)) for answer in (pair.kube, pair.kybern)]
    kube, kybern = (json.loads(re.sub("X509SHA256=[0-9a-f]{64}", "HASH", text)) for text in texts)
    assert differences(kube, kybern) == []


REQUESTS = {
    "empty": b"", "text": b"abc", "a certificate": CERT, "no ASN.1": b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"
    b"-----END CERTIFICATE REQUEST-----\n", "two": GOOD + GOOD, "text around": b"hello\n" + GOOD + b"x",
    "headers": GOOD.replace(b"REQUEST-----\n", b"REQUEST-----\nA: b\n\n", 1),
    "the old name": GOOD.replace(b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST"),
}  # fmt: skip
LONG = "a" * 63
SPECS: list[dict[str, Any]] = [
    *({"request": encoded(data)} for data in REQUESTS.values()), {"request": None}, {"request": 3}, {"request": "%%"},
    *({"signerName": signer} for signer in (
        "", "a", "a/b", "example.com/", "/x", "example.com/a/b", "Example.com/x", "example.com/X", "example.com/_",
        CLIENT, "kubernetes.io/kubelet-serving", "kubernetes.io/legacy-unknown", "kubernetes.io/unknown", None, 5,
        "x.com/a..b", "x.com/-a", "a b.com/x", "x.com:y/z", "*/x", "x" * 70 + ".com/x", f"{LONG}.com/" + "z" * 600)),
    *({"usages": usages} for usages in (
        [], None, ["x"], [""], ["client auth", "client auth"], ["client auth", "nope", "server auth", "nope"],
        ["signing", "any", "s/mime", "netscape sgc"])),
    *({"expirationSeconds": seconds} for seconds in (None, 0, 1, 599, 600, -1, 2**31 - 1, 2**31, "600", 600.0, True)),
    {"username": "bob", "groups": ["system:masters"], "uid": "z", "extra": {"x": ["y"]}}, {"username": 3}, {"nope": 1},
    {"request": encoded(b"x"), "signerName": "a", "usages": ["x", "x"], "expirationSeconds": 5},
    {"signerName": CLIENT, "request": encoded(request("u", "a"))},
    {"signerName": CLIENT, "request": encoded(request("u", "a", "system:masters"))},
]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: ",".join(f"{k}={str(v)[:24]}" for k, v in spec.items()))
def test_what_may_be_asked(both: Both, spec: dict[str, Any]) -> None:
    alike(both, "POST", PATH, body(**spec))


def test_the_request_stays(both: Both) -> None:
    called = f"csr-{next(numbers)}"
    alike(both, "POST", PATH, body(called))
    changes = ({"signerName": "example.com/other"}, {"usages": ["server auth"]}, {"username": "z"}, {"extra": None})
    for change in changes:
        for sub in ("", "/status", "/approval"):
            alike(both, "PATCH", f"{PATH}/{called}{sub}", {"spec": change, "metadata": {"labels": {"a": sub[1:]}}})
    for sub in ("status", "approval"):
        for method in ("GET", "POST", "DELETE"):
            alike(both, method, f"{PATH}/{called}/{sub}", {} if method == "POST" else None)


APPROVED = {"type": "Approved", "status": "True"}
DENIED = {"type": "Denied", "status": "True"}
CONDITIONS: list[Any] = [
    [], None, [{}], [{"type": "Approved"}], [{**APPROVED, "status": "False"}], [{**APPROVED, "status": "Nope"}],
    [{"type": "", "status": "True"}], [{"type": "X", "status": "False"}], [{"type": "X", "status": "bad"}],
    [{"type": "Failed", "status": "True"}], [{"type": "X", "status": "True"}] * 2, [APPROVED, DENIED], [APPROVED] * 2,
    [{**APPROVED, "reason": "a", "message": "m"}], [DENIED], [{**APPROVED, "lastUpdateTime": "2020-01-01T00:00:00Z"}],
]  # fmt: skip


@pytest.mark.parametrize("conditions", CONDITIONS, ids=lambda conditions: json.dumps(conditions)[:60])
def test_decisions(both: Both, conditions: Any) -> None:
    for sub in ("/approval", "/status", ""):
        called = f"csr-{next(numbers)}"
        alike(both, "POST", PATH, body(called))
        alike(both, "PATCH", f"{PATH}/{called}{sub}", {"status": {"conditions": conditions}})
        alike(both, "PATCH", f"{PATH}/{called}{sub}", {"status": {"conditions": None}})
        alike(both, "PATCH", f"{PATH}/{called}/approval", {"status": {"conditions": [DENIED]}})
        alike(both, "PATCH", f"{PATH}/{called}/approval", {"status": {"conditions": conditions}})


CERTIFICATES = {
    "good": CERT, "empty": b"", "text": b"zz", "two": CERT + CERT, "a request": GOOD, "around": b"x\n" + CERT + b"xx",
    "headers": CERT.replace(b"CERTIFICATE-----\n", b"CERTIFICATE-----\nA: b\n\n", 1), "mixed": CERT + GOOD,
    "second is bad": CERT + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}  # fmt: skip


@pytest.mark.parametrize("data", CERTIFICATES.values(), ids=CERTIFICATES)
def test_certificates(both: Both, data: bytes) -> None:
    for sub in ("/status", "/approval", ""):
        called = f"csr-{next(numbers)}"
        alike(both, "POST", PATH, body(called))
        alike(both, "PATCH", f"{PATH}/{called}{sub}", {"status": {"certificate": encoded(data)}})
        alike(both, "PATCH", f"{PATH}/{called}/status", {"status": {"certificate": encoded(CERT + b"\n")}})
        alike(both, "PATCH", f"{PATH}/{called}/approval", {"status": {"conditions": [APPROVED]}})
        answer = {"certificate": encoded(data), "conditions": [{"type": "Failed", "status": "True"}]}
        alike(both, "PATCH", f"{PATH}/{called}/status", {"status": answer})


@pytest.mark.parametrize("names", [None, [], ["example.com/s"], ["example.com/*"], ["other.com/*"], ["*"]])
def test_who_may_decide_and_sign(both: Both, names: list[str] | None) -> None:
    who, group = f"signer-{next(numbers)}", "certificates.k8s.io"
    rules = [{"verbs": ["create", "update", "patch"], "apiGroups": [group], "resources": SIGNERS}]
    if names is not None:
        named = {"resourceNames": names} if names else {}
        rules.append({"verbs": ["approve", "sign"], "apiGroups": [group], "resources": ["signers"], **named})
    both.ask("POST", f"{RBAC}/clusterroles", {"metadata": {"name": who}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": who}
    subject = {"kind": "User", "name": who, "apiGroup": "rbac.authorization.k8s.io"}
    both.ask("POST", f"{RBAC}/clusterrolebindings", {"metadata": {"name": who}, "roleRef": role, "subjects": [subject]})
    alike(both, "POST", PATH, body(who), user=(who,))
    for sub, change in (
        ("/approval", {"status": {"conditions": [APPROVED]}}), ("/approval", {"metadata": {"labels": {"a": "b"}}}),
        ("/status", {"metadata": {"labels": {"a": "c"}}}), ("/status", {"status": {"certificate": encoded(CERT)}}),
        ("/status", {"status": {"conditions": [APPROVED, {"type": "Failed", "status": "True"}]}}),
        ("", {"metadata": {"labels": {"a": "d"}}}), ("/approval", {"spec": {"signerName": "other.com/x"}}),
    ):  # fmt: skip
        alike(both, "PATCH", f"{PATH}/{who}{sub}", change, user=(who,))
    alike(both, "PATCH", f"{PATH}/none-{who}/approval", {}, user=(who,))
