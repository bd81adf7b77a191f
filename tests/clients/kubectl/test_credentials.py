"""kubectl with tokens of an outside issuer and of a Secret, on a cluster whose flags came through `kybern up`."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.testing.cluster import Cluster, Kubectl

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "resources": [{"group": "authentication.k8s.io"}]},
        {"level": "RequestResponse", "resources": [{"group": "", "resources": ["configmaps"]}], "verbs": ["create"]},
    ],
}


@dataclass
class Issuer:
    """A real OIDC issuer."""

    url: str
    key: rsa.RSAPrivateKey

    def token(self, name: str, *groups: str) -> str:
        expires = int(datetime.now(UTC).timestamp()) + 300
        claims = {"iss": self.url, "aud": "kybern", "sub": name, "groups": list(groups), "exp": expires}
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "k"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def issuer(folder: Path) -> Iterator[Issuer]:
    now = datetime.now(UTC)
    ca = create_ca(folder / "issuer", now)
    identity = Identity("issuer", (), ("localhost",), ("127.0.0.1",))
    write_bundle(folder / "tls", issue(ca, identity, timedelta(days=1), now))
    (folder / "issuer.pem").write_bytes(ca.pem)
    found = Issuer("", rsa.generate_private_key(65537, 2048))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown = jwt.algorithms.RSAAlgorithm.to_jwk(found.key.public_key(), as_dict=True)
            documents = {
                "/.well-known/openid-configuration": {"issuer": found.url, "jwks_uri": f"{found.url}/keys"},
                "/keys": {"keys": [{**shown, "kid": "k", "use": "sig"}]},
            }
            body = json.dumps(documents[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls" / "tls.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.url = f"https://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def guarded(folder: Path, issuer: Issuer) -> Iterator[Cluster]:
    (folder / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    flags = {
        "audit-policy-file": folder / "policy.yaml",
        "audit-log-path": folder / "audit.log",
        "oidc-issuer-url": issuer.url,
        "oidc-client-id": "kybern",
        "oidc-groups-claim": "groups",
        "oidc-ca-file": folder / "issuer.pem",
        "request-timeout": "30s",
    }
    cluster = Cluster.start("--simulated-nodes", "1", *(f"--apiserver-flag={n}={v}" for n, v in flags.items()))
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def root(guarded: Cluster, admin: Kubectl, folder: Path) -> Kubectl:
    """The administrator of that cluster, with each kubectl."""
    return Kubectl.find(admin.binary, guarded.kubeconfig, folder)


@pytest.fixture(scope="module")
def user(guarded: Cluster, root: Kubectl, folder: Path) -> Callable[[str], list[str]]:
    """Flags with which kubectl is whoever a token says."""
    (folder / "ca.crt").write_bytes(guarded.ca)
    own = ["--kubeconfig=/dev/null", f"--server={guarded.server}", f"--certificate-authority={folder / 'ca.crt'}"]
    return lambda token: [*own, f"--token={token}"]


def test_a_token_of_an_outside_issuer(root: Kubectl, issuer: Issuer, user: Callable[[str], list[str]]) -> None:
    token = issuer.token("alice", "readers")
    info = root.json(*user(token), "auth", "whoami")["status"]["userInfo"]
    assert (info["username"], info["groups"]) == (f"{issuer.url}#alice", ["readers", "system:authenticated"])
    assert "is forbidden" in root.error(*user(token), "get", "nodes")
    root("create", "clusterrolebinding", f"readers-{root.minor}", "--clusterrole=view", "--group=readers")
    assert root(*user(token), "get", "services", "kubernetes", "-o", "name") == "service/kubernetes"
    foreign = jwt.encode({"iss": issuer.url}, "x" * 32, algorithm="HS256")
    assert "You must be logged in to the server" in root.error(*user(foreign), "get", "services")


def test_a_bootstrap_token(root: Kubectl, user: Callable[[str], list[str]]) -> None:
    name = f"boot{root.minor}"
    data = [
        f"--from-literal=token-id={name}",
        "--from-literal=token-secret=0123456789abcdef",
        "--from-literal=usage-bootstrap-authentication=true",
        "--from-literal=auth-extra-groups=system:bootstrappers:nodes",
    ]
    kind = "--type=bootstrap.kubernetes.io/token"
    root("create", "secret", "generic", f"bootstrap-token-{name}", "-n", "kube-system", kind, *data)
    info = root.json(*user(f"{name}.0123456789abcdef"), "auth", "whoami")["status"]["userInfo"]
    assert info["username"] == f"system:bootstrap:{name}"
    assert info["groups"] == ["system:bootstrappers", "system:bootstrappers:nodes", "system:authenticated"]


def written(path: Path, last: str) -> list[dict[str, Any]]:
    """The audit log, once it says something: it is written a moment after the answer."""
    for _ in range(100):
        if last in (text := path.read_text()):
            break
        time.sleep(0.05)
    return [json.loads(line) for line in text.splitlines()]


def test_what_was_done_is_written_down(
    root: Kubectl, issuer: Issuer, user: Callable[[str], list[str]], folder: Path
) -> None:
    root.json(*user(issuer.token(f"carol{root.minor}")), "auth", "whoami")
    root("create", "configmap", f"c{root.minor}", "--from-literal=a=b")
    events = written(folder / "audit.log", f'"c{root.minor}"')
    names = [event["user"]["username"] for event in events if event["verb"] == "create"]
    assert f"{issuer.url}#carol{root.minor}" in names
    (made,) = [event for event in events if (event.get("objectRef") or {}).get("name") == f"c{root.minor}"]
    assert (made["level"], made["responseStatus"]["code"]) == ("RequestResponse", 201)
    assert made["requestObject"]["data"] == made["responseObject"]["data"] == {"a": "b"}
    assert made["userAgent"].startswith("kubectl")
    assert all(event["stage"] != "RequestReceived" for event in events)


def test_flow_control_is_shown(root: Kubectl) -> None:
    rows = root("get", "flowschemas", "--no-headers").splitlines()
    assert all(row.endswith("False") for row in rows), rows  # no level is missing
    said = root("get", "--raw", "/debug/api_priority_and_fairness/dump_priority_levels")
    assert said.startswith("PriorityLevelName,")
