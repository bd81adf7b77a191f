"""CertificateSigningRequests from request to certificate."""

import asyncio
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kybern.client.resources import CERTIFICATE_SIGNING_REQUESTS, CLUSTER_ROLE_BINDINGS
from kybern.controllers.service import SERVICE as CONTROLLERS
from kybern.kube.conditions import get_condition, is_condition_true

SIGNERS = "kubernetes.io/"
RBAC = "rbac.authorization.k8s.io"


def make_request(common_name: str, organization: str = "", dns: str = "") -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
    return b64encode(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)).decode()


async def ask(client: Any, name: str, signer: str, request: str, *usages: str, **spec: Any) -> Any:
    usages = usages or ("digital signature", "client auth")
    spec = {"request": request, "signerName": SIGNERS + signer, "usages": [*usages], **spec}
    return await client.create(CERTIFICATE_SIGNING_REQUESTS, {"metadata": {"name": name}, "spec": spec})


async def approve(cluster: Any, made: Any) -> None:
    condition = {"type": "Approved", "status": "True", "reason": "Test", "message": "yes"}
    body = {**made, "status": {"conditions": [condition]}}
    await cluster.admin.update(CERTIFICATE_SIGNING_REQUESTS, body, subresource="approval")


async def issued(cluster: Any, name: str) -> x509.Certificate:
    async def probe() -> Any:
        found = await cluster.admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
        return found.get("status", {}).get("certificate")

    return x509.load_pem_x509_certificate(b64decode(await cluster.until(probe, 20)))


async def start(cluster: Any, *flags: str) -> None:
    """The controllers again, with a CA to sign by."""
    pki = Path(cluster.net._pki)
    await cluster.controllers.stop()
    files = ("--cluster-signing-cert-file", str(pki / "ca.crt"), "--cluster-signing-key-file", str(pki / "ca.key"))
    await cluster.net.start(CONTROLLERS, *files, *flags, address="controllers:2")


def test_an_approved_client_gets_its_certificate(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await start(cluster)
        request = make_request("alice", "devs")
        made = await ask(cluster.admin, "alice", "kube-apiserver-client", request, "client auth")
        await asyncio.sleep(10)
        assert "certificate" not in (await cluster.admin.get(CERTIFICATE_SIGNING_REQUESTS, "alice")).get("status", {})
        await approve(cluster, made)
        certificate = await issued(cluster, "alice")
        assert certificate.subject.rfc4514_string() == "CN=alice,O=devs"
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert [*usage] == [ExtendedKeyUsageOID.CLIENT_AUTH]
        with pytest.raises(x509.ExtensionNotFound):
            certificate.extensions.get_extension_for_class(x509.KeyUsage)
        days = (certificate.not_valid_after_utc - cluster.clock.now()).days
        assert 363 <= days <= 365
        ca = x509.load_pem_x509_certificate((Path(cluster.net._pki) / "ca.crt").read_bytes())
        certificate.verify_directly_issued_by(ca)

    simulate(test)


def test_certificates_live_as_long_as_asked_for(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await start(cluster, "--cluster-signing-duration", "24h")
        for name, seconds, minutes in (("short", 600, 10), ("long", 10**6, 24 * 60)):
            made = await ask(
                cluster.admin, name, "kube-apiserver-client", make_request(name), expirationSeconds=seconds
            )
            await approve(cluster, made)
            certificate = await issued(cluster, name)
            left = certificate.not_valid_after_utc - cluster.clock.now()
            assert minutes - 1 <= left.total_seconds() / 60 <= minutes

    simulate(test)


def test_what_a_signer_does_not_sign_fails(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await start(cluster)
        bad = make_request("system:node:n0", "system:nodes")
        made = await ask(cluster.admin, "bare", "kubelet-serving", bad, "digital signature", "server auth")
        await approve(cluster, made)

        async def failed() -> Any:
            return get_condition(await cluster.admin.get(CERTIFICATE_SIGNING_REQUESTS, "bare"), "Failed")

        condition = await cluster.until(failed, 20)
        assert condition["reason"] == "SignerValidationFailure"
        assert condition["message"] == "DNS or IP subjectAltName is required"
        good = make_request("system:node:n0", "system:nodes", dns="n0")
        made = await ask(cluster.admin, "served", "kubelet-serving", good, "digital signature", "server auth")
        await approve(cluster, made)
        names = (await issued(cluster, "served")).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        assert names.value.get_values_for_type(x509.DNSName) == ["n0"]

    simulate(test)


def test_nodes_are_approved_as_rbac_allows(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await start(cluster)
        node = cluster.net.client("system:node:n0", "system:nodes", "system:authenticated")
        usages = ("key encipherment", "digital signature", "client auth")
        request = make_request("system:node:n0", "system:nodes")
        await ask(node, "before", "kube-apiserver-client-kubelet", request, *usages)
        await asyncio.sleep(10)
        found = await cluster.admin.get(CERTIFICATE_SIGNING_REQUESTS, "before")
        assert not is_condition_true(found, "Approved")
        role = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient"
        ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
        subjects = [{"kind": "Group", "apiGroup": RBAC, "name": "system:nodes"}]
        await cluster.create(CLUSTER_ROLE_BINDINGS, "nodes", roleRef=ref, subjects=subjects)
        await ask(node, "own", "kube-apiserver-client-kubelet", request, *usages)
        assert (await issued(cluster, "own")).subject.rfc4514_string() == "CN=system:node:n0,O=system:nodes"
        other = make_request("system:node:n1", "system:nodes")
        await ask(node, "other", "kube-apiserver-client-kubelet", other, *usages)
        await asyncio.sleep(10)
        assert not is_condition_true(await cluster.admin.get(CERTIFICATE_SIGNING_REQUESTS, "other"), "Approved")

    simulate(test)


def test_old_requests_go(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await start(cluster)
        made = await ask(cluster.admin, "done", "kube-apiserver-client", make_request("a"))
        await approve(cluster, made)
        await issued(cluster, "done")
        await ask(cluster.admin, "waiting", "kube-apiserver-client", make_request("b"))
        await asyncio.sleep(3600 + 120)
        assert await cluster.names(CERTIFICATE_SIGNING_REQUESTS, "") == ["waiting"]

    simulate(test, nodes=0)


def test_an_rsa_authority_signs_too(simulate: Any, tmp_path: Path) -> None:
    async def test(cluster: Any) -> None:
        key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])
        ca = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        ca = ca.serial_number(1).not_valid_before(cluster.clock.now())
        ca = ca.not_valid_after(cluster.clock.now().replace(year=2050)).sign(key, hashes.SHA256())
        (tmp_path / "ca.crt").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (tmp_path / "ca.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
        await cluster.controllers.stop()
        files = (
            "--cluster-signing-cert-file",
            f"{tmp_path}/ca.crt",
            "--cluster-signing-key-file",
            f"{tmp_path}/ca.key",
        )
        await cluster.net.start(CONTROLLERS, *files, address="controllers:2")
        await approve(cluster, await ask(cluster.admin, "a", "kube-apiserver-client", make_request("a")))
        (await issued(cluster, "a")).verify_directly_issued_by(ca)

    simulate(test)
