"""Encryption at rest, re-encryption, backup and restore, as an administrator does them."""

import base64
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kybern.testing.cluster import Cluster, Kubectl
from kybern.testing.cluster.manifests import secret
from kybern.testing.cluster.waiting import until

pytestmark = pytest.mark.timeout(240)
FLAGS = ("--nodes", "0", "--simulated-nodes", "1", "--secure-port", "0")


def configure(file: Path, *names: str) -> None:
    """Keys by name, the first writes; what is in the clear can be read."""
    keys = [{"name": name, "secret": base64.b64encode(name.encode().ljust(32, b"-")).decode()} for name in names]
    providers: list[dict[str, Any]] = [{"aesgcm": {"keys": keys}}] if keys else []
    entry = {"resources": ["secrets"], "providers": [*providers, {"identity": {}}]}
    whole = {"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1", "resources": [entry]}
    partial = file.with_suffix(".new")
    partial.write_text(json.dumps(whole))
    os.replace(partial, file)


def stored(cluster: Cluster, name: str) -> bytes:
    """A Secret as it is on disk."""
    with closing(sqlite3.connect(f"file:{cluster.data_dir}/store/kybern.db?mode=ro", uri=True)) as store:
        query = "SELECT value FROM history WHERE key = ? ORDER BY id DESC LIMIT 1"
        (value,) = store.execute(query, (f"/registry/secrets/default/{name}",)).fetchone()
        return bytes(value)


def test_rotation_and_restore(folder: Path, kubectl_of: Callable[[Cluster], Kubectl]) -> None:
    file, backup = folder / "encryption.json", folder / "backup"
    configure(file)
    cluster = Cluster(folder / "c")
    cluster.kybern("up", *FLAGS, "--encryption-provider-config", str(file), timeout=90)
    kubectl = kubectl_of(cluster)
    kubectl.send("create", *(secret(f"s{n}", password="hidden") for n in range(20)))
    assert base64.b64encode(b"hidden") in stored(cluster, "s7") or b"hidden" in stored(cluster, "s7")
    for names in (("one",), ("two", "one")):
        configure(file, *names)
        wanted = f"k8s:enc:aesgcm:v1:{names[0]}:".encode()

        def reencrypted(wanted: bytes = wanted) -> bool:
            cluster.kybern("reencrypt", "secrets")
            return stored(cluster, "s7").startswith(wanted)

        until(reencrypted, 20)
        assert all(stored(cluster, f"s{n}").startswith(wanted) for n in range(20))
    assert "0 of 20 written anew" in cluster.kybern("reencrypt")
    uids = kubectl("get", "secrets,configmaps,services", "-A", "-o", "jsonpath={.items[*].metadata.uid}")
    version = kubectl("get", "secret", "s7", "-o", "jsonpath={.metadata.resourceVersion}")
    token = kubectl("create", "token", "default")
    assert "files of keys" in cluster.kybern("backup", str(backup), "--include-pki")
    kubectl("create", "configmap", "after")
    seen_later = kubectl("get", "configmap", "after", "-o", "jsonpath={.metadata.resourceVersion}")
    cluster.kybern("down", timeout=60)

    restored = Cluster(folder / "r")
    restored.kybern("restore", str(backup))
    restored.kybern("up", *FLAGS, "--encryption-provider-config", str(file), timeout=90)
    kubectl = kubectl_of(restored)
    assert kubectl("get", "secrets,configmaps,services", "-A", "-o", "jsonpath={.items[*].metadata.uid}") == uids
    assert kubectl("get", "secret", "s7", "-o", "jsonpath={.metadata.resourceVersion}") == version
    password = kubectl("get", "secret", "s7", "-o", "jsonpath={.data.password}")
    assert base64.b64decode(password) == b"hidden"
    for old in (version, seen_later):
        said = kubectl("get", "--raw", f"/api/v1/configmaps?watch=1&resourceVersion={old}&timeoutSeconds=2")
        assert json.loads(said)["object"]["reason"] == "Expired"
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = kubectl.json("create", "-f", "-", "-o", "json", stdin=json.dumps(review))
    assert answer["status"]["authenticated"] is True
    restored.kybern("down", timeout=60)


def test_what_backup_and_restore_refuse(simulated: Cluster, folder: Path, kybern: Any) -> None:
    data, backup = str(simulated.data_dir), str(folder / "backup")
    simulated.kybern("backup", backup)
    assert "exists already" in kybern("backup", backup, "--data-dir", data).sentence
    assert "there is no cluster on" in kybern("backup", f"{backup}2", "--data-dir", f"{folder}/none").sentence
    assert "restore into another, empty --data-dir" in kybern("restore", backup, "--data-dir", data).sentence
    content = bytearray(Path(backup).read_bytes())
    content[len(content) // 2] ^= 1
    Path(backup).write_bytes(content)
    assert "is damaged" in kybern("restore", backup, "--data-dir", f"{folder}/new").sentence
    assert not (folder / "new" / "store" / "kybern.db").exists()
    assert "'nonsense' is no resource" in kybern("reencrypt", "nonsense", "--data-dir", data).sentence
    assert "no cluster runs on" in kybern("reencrypt", "--data-dir", f"{folder}/none").sentence
