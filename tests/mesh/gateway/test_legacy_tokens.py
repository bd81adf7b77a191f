"""A token from a Secret that was made for its account unasked: every answer to it carries a warning."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kybern.pki.token_keys import TokenKeys

SIGNING = TokenKeys(ec.generate_private_key(ec.SECP256R1()))
NAMESPACE = "/api/v1/namespaces/default"
WARNING = (
    '299 - "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated '
    'secret-based tokens."'
)


async def token_of(gateway: Any, account: str, secret: str, auto: bool) -> str:
    """A token in a Secret, which its account names if it was made unasked."""
    body: dict[str, Any] = {"metadata": {"name": account}, "secrets": [{"name": secret}] if auto else []}
    async with gateway.admin.post(f"{NAMESPACE}/serviceaccounts", json=body) as response:
        uid = (await response.json())["metadata"]["uid"]
    claims = {"secret.name": secret, "service-account.name": account, "service-account.uid": uid}
    said = {f"kubernetes.io/serviceaccount/{name}": value for name, value in {"namespace": "default", **claims}.items()}
    subject = f"system:serviceaccount:default:{account}"
    token = SIGNING.sign({"iss": "kubernetes/serviceaccount", "sub": subject, **said})
    noted = {"kubernetes.io/service-account.name": account}
    made = {
        "metadata": {"name": secret, "annotations": noted},
        "type": "kubernetes.io/service-account-token",
        "data": {"token": b64encode(token.encode()).decode()},
    }
    async with gateway.admin.post(f"{NAMESPACE}/secrets", json=made) as response:
        assert response.status == 201, await response.text()
    return token


@pytest.mark.parametrize(("auto", "wanted"), [(True, [WARNING]), (False, [])], ids=["made unasked", "asked for"])
async def test_warnings(fronts: Any, tmp_path: Path, unused_tcp_port: int, auto: bool, wanted: list[str]) -> None:
    async with fronts(tmp_path, unused_tcp_port, keys=SIGNING) as gateway:
        token = await token_of(gateway, "robot", "robot-token", auto)
        binding = {
            "metadata": {"name": "robots"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "default"}],
        }
        bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        async with gateway.admin.post(bindings, json=binding) as response:
            assert response.status == 201
        made = {"metadata": {"generateName": "x-"}}
        asked = [(200, "GET", f"{NAMESPACE}/serviceaccounts/robot")] * 3  # parsed, remembered, repeated
        asked += [(200, "GET", f"{NAMESPACE}/pods"), (404, "GET", f"{NAMESPACE}/pods/none"), (200, "GET", "/apis")]
        asked += [(403, "POST", f"{NAMESPACE}/configmaps"), (403, "GET", f"{NAMESPACE}/secrets")]
        async with gateway.client(Authorization=f"Bearer {token}") as robot:
            for status, method, path in asked:
                async with robot.request(method, path, json=made if method == "POST" else None) as response:
                    assert response.status == status, await response.text()
                    assert response.headers.getall("Warning", []) == wanted, (method, path)
        async with gateway.admin.get(f"{NAMESPACE}/pods") as response:
            assert "Warning" not in response.headers
