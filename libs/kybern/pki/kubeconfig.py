"""kubeconfig files with everything embedded, as kubeadm writes admin.conf."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import yaml

from kybern.pki.authority import Identity
from kybern.pki.files import write_atomic
from kybern.pki.source import KeyPair

ADMIN = Identity("kubernetes-admin", ("kubeadm:cluster-admins",))
"""What kubeadm gives admin.conf: cluster-admin through a ClusterRoleBinding to this group, hence revocable."""
SUPER_ADMIN = Identity("kubernetes-super-admin", ("system:masters",))
"""What kubeadm gives super-admin.conf: past all authorization, always."""


def kubeconfig(server: str, pair: KeyPair, user: str, cluster: str = "kubernetes") -> dict[str, Any]:
    """The object. `server` is a URL."""
    context = f"{user}@{cluster}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": cluster, "cluster": {"certificate-authority-data": _encode(pair.ca), "server": server}},
        ],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
        "preferences": {},
        "users": [
            {
                "name": user,
                "user": {"client-certificate-data": _encode(pair.cert), "client-key-data": _encode(pair.key)},
            },
        ],
    }


def write_kubeconfig(path: Path, server: str, pair: KeyPair, user: str, cluster: str = "kubernetes") -> None:
    """The file, readable by its owner only."""
    text = yaml.safe_dump(kubeconfig(server, pair, user, cluster), sort_keys=True)
    write_atomic(path, text.encode(), 0o600)


def _encode(pem: bytes) -> str:
    return b64encode(pem).decode()
