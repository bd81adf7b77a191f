"""`kybern up --api-only`: objects are kept, nothing acts on them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kybern.testing.cluster import Kubectl


def test_objects_are_kept_and_nothing_acts(
    folder: Path, home: Path, kybern: Callable[..., Any], kubectl_binary: str
) -> None:
    data = ("--data-dir", str(folder / "c"))
    kubectl = Kubectl(kubectl_binary, folder / "c" / "admin.kubeconfig", home)
    try:
        for flags in (("--api-only", "--secure-port", "0"), ()):  # what an earlier `up` was told is remembered
            assert kybern("up", *data, *flags).code == 0
            status = json.loads(kybern("status", "-o", "json", *data).out)
            assert [row["name"] for row in status["processes"]] == ["apiserver", "gateway"]
            kubectl("apply", "-f", "-", stdin=json.dumps(DEPLOYMENT))
            assert kubectl("get", "deployment,replicaset,pod", "-o", "name").split() == ["deployment.apps/web"]
            assert kybern("down", *data).code == 0
        refused = kybern("up", *data, "--simulated-nodes", "1")
        assert refused.code == 2
        assert "give --no-api-only" in refused.sentence
    finally:
        kybern("down", "--purge", *data)


CONTAINER = {"name": "web", "image": "localhost/web"}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER]}},
    },
}
