"""Bindings, to a pod's subresource and to `bindings`: which pod they mean, and as what it has to be found."""

from typing import Any

import pytest

from kybern.client.objects import Client
from kybern.client.resources import BINDINGS, PODS
from kybern.kube.status import StatusError

NODE = {"kind": "Node", "name": "x"}
POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "default"},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}
MODIFIED = 'Operation cannot be fulfilled on pods "p": StorageError: invalid object, Code: 4, Key: /registry/pods/'


@pytest.mark.parametrize(
    ("metadata", "subresource", "code", "words"),
    [
        ({}, False, 400, "Name parameter required."),
        ({"generateName": "p"}, False, 400, "Name parameter required."),
        ({"name": "p", "namespace": "other"}, False, 400, "the namespace of the provided object does not match"),
        ({"name": "p", "namespace": "other"}, True, 400, "the namespace of the provided object does not match"),
        ({"name": "q"}, True, 400, "name in URL does not match name in Binding object"),
        ({"name": "p", "resourceVersion": "1"}, True, 409, MODIFIED),
        ({"name": "p", "uid": "x"}, True, 409, MODIFIED),
    ],
    ids=["no name", "a generated one", "namespace", "namespace of a pod", "name", "version", "uid"],
)
async def test_refused(admin: Client, metadata: dict[str, str], subresource: bool, code: int, words: str) -> None:
    await admin.create(PODS, POD)
    body = {"metadata": metadata, "target": NODE}
    binding = admin.create(BINDINGS, body, "default")
    if subresource:
        binding.close()
        binding = admin.create_subresource(PODS, "binding", "p", body, "default")
    with pytest.raises(StatusError) as caught:
        await binding
    assert (caught.value.code, words in caught.value.message) == (code, True), caught.value.message


async def test_of_what_is_new_no_uid_counts(admin: Client) -> None:
    await admin.create(PODS, POD)
    await admin.create(BINDINGS, {"metadata": {"name": "p", "uid": "x"}, "target": NODE}, "default")
    assert (await admin.get(PODS, "p", "default"))["spec"]["nodeName"] == "x"
