"""kubectl certificate: from a request to a certificate that the API knows."""

import base64
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kybern.testing.cluster import Kubectl


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def ask(kubectl: Kubectl, name: str, key: ec.EllipticCurvePrivateKey) -> None:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "devs"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(key, hashes.SHA256())
    spec = {
        "request": base64.b64encode(csr.public_bytes(serialization.Encoding.PEM)).decode(),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
        "expirationSeconds": 3600,
    }
    metadata = {"name": name}
    body = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": metadata}
    kubectl.send("create", {**body, "spec": spec})


def test_an_approved_request_becomes_a_certificate_that_is_known(
    kubectl: Kubectl, key: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    name = f"jane-{kubectl.namespace}-{kubectl.minor}"
    ask(kubectl, name, key)
    assert "Pending" in kubectl("get", "csr", name)
    kubectl("certificate", "approve", name)
    kubectl("wait", f"csr/{name}", "--for=jsonpath={.status.certificate}", "--timeout=20s")
    assert "Approved,Issued" in kubectl("get", "csr", name)
    certificate = base64.b64decode(kubectl.json("get", "csr", name)["status"]["certificate"])
    (tmp_path / "tls.crt").write_bytes(certificate)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "tls.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    config = kubectl.json("config", "view", "--raw", "--minify")["clusters"][0]["cluster"]
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(config["certificate-authority-data"]))
    who = kubectl.json(
        *("auth", "whoami", "--kubeconfig=/dev/null", f"--server={config['server']}"),
        *(f"--certificate-authority={tmp_path}/ca.crt", f"--client-certificate={tmp_path}/tls.crt"),
        f"--client-key={tmp_path}/tls.key",
    )["status"]["userInfo"]
    assert (who["username"], sorted(who["groups"])) == (name, ["devs", "system:authenticated"])


def test_a_denied_request_stays_without(kubectl: Kubectl, key: ec.EllipticCurvePrivateKey) -> None:
    name = f"joe-{kubectl.namespace}-{kubectl.minor}"
    ask(kubectl, name, key)
    kubectl("certificate", "deny", name)
    assert "Denied" in kubectl("get", "csr", name)
    assert "certificate" not in kubectl.json("get", "csr", name)["status"]
