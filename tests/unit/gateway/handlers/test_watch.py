"""Frames of a watch in every form, the ERROR that ends one too."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from kybern.gateway.core.encoded import Encoded
from kybern.gateway.core.negotiation import MediaType
from kybern.gateway.handlers.watch import FrameWriter
from kybern.kube import protobuf
from kybern.kube.status import gone
from kybern.protos.api.v1.objects_pb2 import EVENT_TYPE_ADDED, EVENT_TYPE_ERROR, WatchEvent, WatchResponse
from kybern.telemetry.observations import Observations

SECRET = {
    "kind": "Secret",
    "apiVersion": "v1",
    "metadata": {"name": "a", "resourceVersion": "7"},
    "data": {"k": "AA=="},
}
METADATA = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": SECRET["metadata"]}
ERROR = gone("too old").status
FORMS = {
    "JSON": (MediaType(), SECRET),
    "protobuf": (MediaType(protobuf=True), SECRET),
    "metadata": (MediaType(view="PartialObjectMetadata", version="v1"), METADATA),
    "metadata in protobuf": (MediaType(view="PartialObjectMetadata", version="v1", protobuf=True), METADATA),
}


def events(media: MediaType, data: bytes) -> list[tuple[str, Any]]:
    """What a client reads."""
    if not media.protobuf:
        return [(each["type"], each["object"]) for each in map(orjson.loads, data.splitlines())]
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        event, data = data[4 : 4 + size], data[4 + size :]
        name = event[2 : 2 + event[1]].decode()
        found.append((name, protobuf.decode(event[event.index(protobuf.MAGIC) :])))
    return found


@pytest.mark.parametrize("form", FORMS)
async def test_frames(form: str) -> None:
    media, wanted = FORMS[form]
    api: Any = SimpleNamespace(encoded=Encoded())
    batch = WatchResponse(
        events=[
            *[WatchEvent(type=EVENT_TYPE_ADDED, object=orjson.dumps(SECRET))] * 150,
            WatchEvent(type=EVENT_TYPE_ERROR, object=orjson.dumps(ERROR)),
        ]
    )
    data = b"".join([part async for part in FrameWriter(api, media, None, Observations((1024.0,))).parts(batch)])
    *added, (name, status) = events(media, data)
    assert added == [("ADDED", wanted)] * 150
    assert (name, status["reason"], status["code"]) == ("ERROR", ERROR["reason"], 410)
