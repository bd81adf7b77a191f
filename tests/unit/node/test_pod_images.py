"""Pulling images with a pod's credentials."""

import base64
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from kybern.kube.meta import Object
from kybern.kube.status import not_found
from kybern.node.core.backoff import Backoff
from kybern.node.core.pod_sandbox import NodeSettings
from kybern.node.core.volumes import Reference
from kybern.node.cri.client import CriError
from kybern.node.pod_images import Images, StartFailed
from kybern.protos.runtime.v1 import api_pb2 as cri
from kybern.testing.builders import make_pod


class Registry:
    """A runtime whose registry lets one user in."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.asked: list[str] = []

    async def image_status(self, image: str) -> cri.Image | None:
        return cri.Image(id=image) if self.user in self.asked else None

    async def pull_image(self, image: str, auth: cri.AuthConfig | None, sandbox: cri.PodSandboxConfig) -> str:
        self.asked.append(auth.username if auth is not None else "")
        if self.asked[-1] != self.user:
            raise CriError("PullImage", grpc.StatusCode.UNKNOWN, f"denied to {self.asked[-1]}")
        return image


def secret(**registries: str) -> Object:
    auths = {f"{name}.io": {"username": user, "password": "p"} for name, user in registries.items()}
    return {"data": {".dockerconfigjson": base64.b64encode(json.dumps({"auths": auths}).encode()).decode()}}


SECRETS = {"first": secret(a="one", b="other"), "second": secret(a="two")}


async def pull(registry: Registry, *secrets: str) -> list[str]:
    """What was told while a/web was pulled. Raises StartFailed."""
    told: list[str] = []

    async def read(pod: Object, reference: Reference) -> Object | None:
        if reference.name == "forbidden":
            raise not_found("", "secrets", reference.name)
        return SECRETS.get(reference.name)

    clock = SimpleNamespace(now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    node: Any = SimpleNamespace(
        runtime=registry,
        references=SimpleNamespace(read=read),
        clock=clock,
        pulls=Backoff(),
        pull_errors={},
        settings=NodeSettings("n"),
        logs_root="/logs",
        event=lambda pod, kind, reason, text, container="": told.append(f"{reason}: {text}"),
    )
    pod = make_pod(imagePullSecrets=[{"name": name} for name in secrets])
    await Images(node, pod).ensure({"name": "c", "image": "a.io/web:1"})
    return told


@pytest.mark.parametrize(
    ("user", "secrets", "asked"),
    [
        pytest.param("", [], [""], id="without any, as nobody"),
        pytest.param("one", ["first"], ["one"], id="only what is for the registry"),
        pytest.param("two", ["first", "second"], ["one", "two"], id="the next, if one is refused"),
    ],
)
async def test_pulls(user: str, secrets: list[str], asked: list[str]) -> None:
    registry = Registry(user)
    await pull(registry, *secrets)
    assert registry.asked == asked


async def test_nobody_is_let_in() -> None:
    with pytest.raises(StartFailed, match="denied to two"):
        await pull(Registry("three"), "first", "second")


async def test_secrets_that_cannot_be_had_are_told_of() -> None:
    told = await pull(Registry("one"), "gone", "first", "forbidden")
    assert told[1] == (
        "FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (gone, forbidden); "
        "attempting to pull the image may not succeed."
    )
