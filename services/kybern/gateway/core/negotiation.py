"""Content negotiation: JSON, YAML or protobuf; the object, a Table, its PartialObjectMetadata or aggregated discovery.

The first acceptable entry wins, as upstream sorts them. An entry with an `as` that is unknown is skipped, as
upstream; so are Tables in protobuf, and custom resources in it, which have no such form (their metadata has).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from kybern.kube.protobuf import CONTENT_TYPE

JSON, YAML = "application/json", "application/yaml"
OFFERED = (JSON, YAML, CONTENT_TYPE)
OFFERED_STREAMS = (f"{JSON};stream=watch", f"{CONTENT_TYPE};stream=watch")
OFFERED_LISTS = (*OFFERED, *OFFERED_STREAMS)
_ANY = frozenset({"*/*", "application/*", JSON})
META, DISCOVERY = "meta.k8s.io", "apidiscovery.k8s.io"
CONFIG = "config.k8s.io"
VIEWED_GROUPS = {"APIGroupDiscoveryList": DISCOVERY, "Statusz": CONFIG, "Flagz": CONFIG}  # that content types name
ZPAGES = ("application/json", "application/yaml", "text/plain")
AGGREGATED = {"as": "APIGroupDiscoveryList", "g": DISCOVERY, "v": "v2"}
_OBJECT_VIEWS = {
    "Table": {"v1", "v1beta1"},
    "PartialObjectMetadata": {"v1", "v1beta1"},
    "PartialObjectMetadataList": {"v1", "v1beta1"},
}


@dataclass(frozen=True, slots=True)
class MediaType:
    """What was agreed on. `view` is "" for the object itself; `version` is that of the view."""

    yaml: bool = False
    view: str = ""
    version: str = ""
    stream: bool = False  # ;stream=watch
    protobuf: bool = False

    @property
    def plain(self) -> bool:
        """The stored JSON bytes answer this as they are."""
        return not self.yaml and not self.view and not self.protobuf

    @property
    def table(self) -> bool:
        return self.view == "Table"

    @property
    def metadata_only(self) -> bool:
        return self.view.startswith("PartialObjectMetadata")

    @property
    def content_type(self) -> bytes:
        name = YAML if self.yaml else CONTENT_TYPE if self.protobuf else JSON
        if self.view in VIEWED_GROUPS:
            return f"{name};g={VIEWED_GROUPS[self.view]};v={self.version};as={self.view}".encode()
        return name.encode()

    @property
    def stream_type(self) -> bytes:
        """The content type of a watch."""
        return OFFERED_STREAMS[1].encode() if self.protobuf else self.content_type


PLAIN = MediaType()
_TOKEN = r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]++"
_QUOTED = r'"[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*"'
_PARAMETERS = re.compile(rf"(?:\s*+;\s*+{_TOKEN}\s*+=\s*+(?:{_TOKEN}|{_QUOTED}))*\s*+;?\s*+")  # as Go reads them


@lru_cache(maxsize=512)
def negotiate(accept: str, *, custom: bool = False, tables: bool = True) -> MediaType | None:
    """The view of objects an Accept header asks for; None when nothing offered is acceptable (406).

    `custom`: the objects are custom resources. `tables`: they can be shown as a Table.
    """
    if not accept:
        return PLAIN
    found = [each for entry in _entries(accept) if (each := _object_view(*entry)) is not None]
    if custom:
        found = [each for each in found if each.view or not each.protobuf]
    return next((each for each in found if tables or not each.table), None)


@lru_cache(maxsize=512)
def is_routed(accept: str) -> bool:
    """Whether a built-in resource's route can answer at all: a look at names alone comes before the negotiation."""
    names = [entry.partition(";")[0].strip() for entry in accept.split(",")]
    return not accept or any(name == "*/*" or name in OFFERED for name in names)


@lru_cache(maxsize=512)
def negotiate_status(accept: str) -> MediaType:
    """The form of an error: never a view; JSON when nothing else is acceptable."""
    found = (_object_view(*entry) for entry in _entries(accept))
    return next((each for each in found if each is not None and not each.view), PLAIN)


@lru_cache(maxsize=128)
def negotiate_discovery(accept: str, *, aggregated: bool = True) -> MediaType | None:
    """As `negotiate`, for /api and /apis: the aggregated document wherever it is asked for, else the classic one.

    What is below them is never `aggregated`."""
    if not accept:
        return PLAIN
    entries = _entries(accept)
    for name, parameters in entries if aggregated else ():
        if name in OFFERED and AGGREGATED.items() <= parameters.items():
            protobuf = name == CONTENT_TYPE
            return MediaType(yaml=name == YAML, view=AGGREGATED["as"], version=AGGREGATED["v"], protobuf=protobuf)
    found = (_object_view(*entry) for entry in entries)
    return next((each for each in found if each is not None and not each.view), None)


@lru_cache(maxsize=128)
def negotiate_openapi(accept: str) -> MediaType | None:
    """For OpenAPI documents, which are JSON, with any parameters; None where that is not acceptable."""
    return PLAIN if any(name in _ANY for name, _ in _entries(accept)) else None


@lru_cache(maxsize=128)
def negotiate_zpage(accept: str, kind: str) -> MediaType | Literal["text"] | None:
    """Text, or the document of a kind where that is asked for by group and version; None for what is neither."""
    for name, parameters in _entries(accept) or [("*/*", {})]:
        if name in ("*/*", "text/*", "text/plain"):
            return "text"
        view, group, version = (parameters.get(key, "") for key in ("as", "g", "v"))
        if name in (JSON, YAML) and (view, group) == (kind, CONFIG) and version in ("v1alpha1", "v1beta1"):
            return MediaType(yaml=name == YAML, view=kind, version=version)
    return None


def _object_view(name: str, parameters: dict[str, str]) -> MediaType | None:
    yaml, protobuf = name == YAML, name == CONTENT_TYPE
    if not yaml and not protobuf and name not in _ANY:
        return None
    view, version, stream = (parameters.get(key, "") for key in ("as", "v", "stream"))
    if (view or version or "g" in parameters) and not _offers(view, version, parameters.get("g", ""), protobuf):
        return None
    if stream and (yaml or stream != "watch"):
        return None
    return MediaType(yaml, view, version, bool(stream), protobuf)


def _offers(view: str, version: str, group: str, protobuf: bool) -> bool:
    return group == META and version in _OBJECT_VIEWS.get(view, ()) and not (protobuf and view == "Table")


def _entries(accept: str) -> list[tuple[str, dict[str, str]]]:
    """Media types with parameters in upstream's order: by quality, but what is named goes before a wildcard."""
    found: list[tuple[float, str, dict[str, str]]] = []
    for entry in accept.split(","):
        name, *rest = (part.strip() for part in entry.split(";"))
        pairs = (part.partition("=") for part in rest if part)
        parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
        if name:
            found.append((_quality(parameters.pop("q", "1")), name.lower(), parameters))
            at = len(found) - 1
            while at and _before(found[at][:2], found[at - 1][:2]):
                found[at - 1], found[at] = found[at], found[at - 1]
                at -= 1
    return [(name, parameters) for _, name, parameters in found]


def _before(one: tuple[float, str], other: tuple[float, str]) -> bool:
    """No order in the mathematical sense: a wildcard of better quality goes before a name that came earlier."""
    if one[0] > other[0] or (not one[1].startswith("*") and other[1].startswith("*")):
        return True
    return not one[1].endswith("*") and other[1].endswith("*")


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


@lru_cache(maxsize=128)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip is named, without a quality and as it is written, as upstream reads it."""
    return any(entry.strip() == "gzip" for entry in accept_encoding.split(","))


def content_type(header: str, absent: str = JSON) -> str:
    """The media type of a request body without parameters, lower case; JSON when the header is absent, "" for one that
    cannot be read."""
    name, has_parameters, _ = header.partition(";")
    if has_parameters and not _PARAMETERS.fullmatch(header, len(name)):
        return ""
    return name.strip().lower() or absent
