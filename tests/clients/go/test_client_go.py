"""client-go itself: a typed clientset with protobuf bodies, an informer; and the goldens of the protobuf codec."""

import base64
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kybern.kube import protobuf
from kybern.kube.protobuf.messages import SCALARS, table
from kybern.testing.cluster import Cluster

FOLDER = Path(__file__).parent
GOLDEN = FOLDER.parents[1] / "unit/kube/protobuf"
BUILD_WITHIN, RUN_WITHIN = 280, 100
pytestmark = pytest.mark.timeout(BUILD_WITHIN + RUN_WITHIN)


@pytest.fixture(scope="session")
def program(build_go: Callable[..., str]) -> str:
    """The built programs."""
    return build_go(FOLDER)


def run(program: str, *arguments: str, **env: str) -> Any:
    """A program's JSON."""
    done = subprocess.run(
        [program, *arguments], env={**os.environ, **env}, capture_output=True, text=True, timeout=RUN_WITHIN
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_typed_client(program: str, cluster: Cluster, namespace: str) -> None:
    found = run(program, "client", namespace, KUBECONFIG=str(cluster.kubeconfig))
    assert found["seen"] == ["add 1", "update 2", "delete 2"]
    assert (found["image"], found["cpu"], found["surge"]) == ("busybox:1", "250m", "50%")
    assert (found["ready"], found["scaled"], found["evicted"]) == (1, 3, True)
    assert (found["conflict"], found["invalid"]) == (True, "metadata.name")
    assert base64.b64decode(found["binary"]) == bytes([0, 255, 1])
    assert found["tokenBytes"] > 300
    assert found["applied"] == "test"


def test_both_forms_are_the_same(program: str, cluster: Cluster, namespace: str) -> None:
    """Every kind created, read, watched, changed and deleted in protobuf, and everything listed, as in JSON."""
    found = run(program, "compare", namespace, str(FOLDER / "kinds.yaml"), KUBECONFIG=str(cluster.kubeconfig))
    assert found["differences"] == []
    assert (len(found["kinds"]), len(found["lists"]) > 55, found["metadata"] > 100) == (51, True, True)
    assert set(found["answers"]) == {protobuf.CONTENT_TYPE, f"{protobuf.CONTENT_TYPE};stream=watch"}


def test_goldens_are_current(program: str) -> None:
    """Written again with KYBERN_GOLDEN=write."""
    made = run(program, "golden", str(GOLDEN / "golden.yaml"))
    if os.environ.get("KYBERN_GOLDEN") == "write":
        (GOLDEN / "golden.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    assert json.loads((GOLDEN / "golden.json").read_text()) == made


def test_table_has_the_zero_values_of_the_go_types(program: str) -> None:
    kept = run(program, "zeros")
    scalars = SCALARS.keys() - {"bytes"}
    wrong = [
        (message, row[1])
        for message, rows in table().items()
        for row in rows
        if message in kept and row[2] in scalars and not row[3] and bool(row[4]) != (row[0] in kept[message])
    ]
    assert wrong == []


def body(**spec: Any) -> bytes:
    container = {"name": "c", "image": "busybox:1"}
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": {"containers": [container], **spec}}
    return protobuf.encode(pod)


REFUSED = {
    "another kind": (protobuf.encode({"kind": "ConfigMap", "apiVersion": "v1"}), 400, "cannot be handled as a Pod"),
    "no protobuf": (b"{}", 400, "does not appear to be a protobuf message"),
    "damaged": (body()[:-1], 400, "(must be of type Pod): unexpected EOF"),
    "invalid": (body(restartPolicy="Foo"), 422, 'spec.restartPolicy: Unsupported value: "Foo"'),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bodies_that_are_refused(core: Any, namespace: str, case: str) -> None:
    data, status, message = REFUSED[case]
    answer = post(core, namespace, data)
    found = json.loads(answer.data)["message"]
    assert answer.status == status
    assert message in found


def test_a_body_in_protobuf(core: Any, namespace: str) -> None:
    answer = post(core, namespace, body(terminationGracePeriodSeconds=0, hostNetwork=True))
    spec = json.loads(answer.data)["spec"]
    assert (answer.status, spec["terminationGracePeriodSeconds"], spec["hostNetwork"]) == (201, 0, True)


def post(core: Any, namespace: str, data: bytes) -> Any:
    url = f"{core.api_client.configuration.host}/api/v1/namespaces/{namespace}/pods"
    headers = {"Content-Type": protobuf.CONTENT_TYPE, "Accept": "application/json"}
    return core.api_client.rest_client.pool_manager.request("POST", url, body=data, headers=headers)
