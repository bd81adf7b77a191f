"""The ServiceAccount key and kubeconfig files."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
import yaml
from cryptography import x509

from kybern.pki.authority import AuthorityUnusable, create_ca, identity_of, issue
from kybern.pki.kubeconfig import ADMIN, SUPER_ADMIN, write_kubeconfig
from kybern.pki.service_account import open_signing_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_signing_key_signs_and_is_kept(tmp_path: Path) -> None:
    key = open_signing_key(tmp_path)
    token = jwt.encode({"sub": "system:serviceaccount:default:default"}, key.private, key.algorithm)
    assert jwt.decode(token, key.public, [key.algorithm])["sub"] == "system:serviceaccount:default:default"
    (tmp_path / "sa.pub").unlink()
    assert open_signing_key(tmp_path) == key
    assert (tmp_path / "sa.pub").read_bytes() == key.public
    assert (tmp_path / "sa.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "sa.key").write_bytes(b"scrambled")
    with pytest.raises(AuthorityUnusable, match=r"sa\.key"):
        open_signing_key(tmp_path)


@pytest.mark.parametrize(("identity", "group"), [(ADMIN, "kubeadm:cluster-admins"), (SUPER_ADMIN, "system:masters")])
def test_a_kubeconfig_carries_everything(tmp_path: Path, identity: object, group: str) -> None:
    assert identity in (ADMIN, SUPER_ADMIN)
    who = ADMIN if identity is ADMIN else SUPER_ADMIN
    pair = issue(create_ca(tmp_path, NOW), who, timedelta(days=1), NOW)
    path = tmp_path / "admin.kubeconfig"
    write_kubeconfig(path, "https://127.0.0.1:6443", pair, who.common_name)
    assert path.stat().st_mode & 0o777 == 0o600
    config = yaml.safe_load(path.read_text())
    assert config["current-context"] == f"{who.common_name}@kubernetes"
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    assert base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]) == pair.ca
    user = config["users"][0]["user"]
    assert base64.b64decode(user["client-key-data"]) == pair.key
    named = identity_of(x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"])))
    assert (named.common_name, named.organizations) == (who.common_name, (group,))
