"""/statusz and /flagz in each of their forms."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from kybern.gateway.handlers.zpages import flagz, statusz
from kybern.gateway.http.message import Request, Response
from kybern.kube.status import StatusError

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DOCUMENT = "application/{};v={};g=config.k8s.io;as=Statusz"


def request(accept: str) -> Request:
    connection: Any = SimpleNamespace()
    return Request(connection, "GET", b"/statusz", {b"accept": accept.encode()} if accept else {}, {}, b"")


def status(asked: Request) -> Response:
    return asyncio.run(statusz(asked, STARTED, STARTED + timedelta(hours=25, minutes=2, seconds=3.5)))


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain", "text/html, text/plain"])
def test_text(accept: str) -> None:
    response = status(request(accept))
    lines = response.body.decode().splitlines()
    assert response.content_type == b"text/plain; charset=utf-8"
    assert lines[1] == "apiserver statusz"
    assert {"Started: Fri Jan  2 03:04:05 UTC 2026", "Up: 25 hr 02 min 03 sec", "Binary version: 1.36.0"} < set(lines)


@pytest.mark.parametrize(("version", "warns"), [("v1beta1", False), ("v1alpha1", True)])
def test_documents(version: str, warns: bool) -> None:
    asked = request(DOCUMENT.format("json", version))
    response = status(asked)
    found = orjson.loads(response.body)
    assert response.content_type == f"application/json;g=config.k8s.io;v={version};as=Statusz".encode()
    assert (found["kind"], found["apiVersion"]) == ("Statusz", f"config.k8s.io/{version}")
    assert (found["startTime"], found["uptimeSeconds"]) == ("2026-01-02T03:04:05Z", 90123)
    assert ("deprecated" in asked.warning) == warns
    assert b"\nuptimeSeconds: 90123\n" in status(request(DOCUMENT.format("yaml", version))).body


REFUSED = ["text/html", "application/json", DOCUMENT.format("json", "v1"), DOCUMENT.format("cbor", "v1beta1")]


@pytest.mark.parametrize("accept", REFUSED)
def test_what_is_not_offered(accept: str) -> None:
    with pytest.raises(StatusError, match="only the following media types are accepted") as error:
        status(request(accept))
    assert error.value.code == 406


def test_flags() -> None:
    response = asyncio.run(flagz(request(""), {"b": "2", "a": "[x,y]"}))
    assert response.body.decode().splitlines()[3:] == ["a:[x,y]", "b:2"]
