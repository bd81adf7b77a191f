"""Content negotiation: which of JSON, YAML, Table, PartialObjectMetadata or aggregated discovery a client wants.

The first acceptable entry by quality, then by order, wins. Protobuf is
not offered: clients that ask for it also list JSON. An entry with an `as` that is unknown is skipped, as upstream.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

JSON, YAML = "application/json", "application/yaml"
_YAML_NAMES = frozenset({YAML, "application/x-yaml", "text/yaml"})
_ANY = frozenset({"*/*", "application/*", JSON})
META, DISCOVERY = "meta.k8s.io", "apidiscovery.k8s.io"
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

    @property
    def plain(self) -> bool:
        """The stored JSON bytes answer this as they are."""
        return not self.yaml and not self.view

    @property
    def table(self) -> bool:
        return self.view == "Table"

    @property
    def metadata_only(self) -> bool:
        return self.view.startswith("PartialObjectMetadata")

    @property
    def content_type(self) -> bytes:
        if self.view == "APIGroupDiscoveryList":
            return f"{JSON};g={DISCOVERY};v={self.version};as={self.view}".encode()
        return (YAML if self.yaml else JSON).encode()


PLAIN = MediaType()


@lru_cache(maxsize=512)
def negotiate(accept: str) -> MediaType | None:
    """The view of objects an Accept header asks for; None when nothing offered is acceptable (406)."""
    if not accept:
        return PLAIN
    return next((found for parameters in _entries(accept) if (found := _object_view(*parameters))), None)


@lru_cache(maxsize=128)
def negotiate_discovery(accept: str) -> MediaType | None:
    """As `negotiate`, for /api and /apis: the aggregated document, or the classic one."""
    for name, parameters in _entries(accept) if accept else ():
        version = parameters.get("v", "")
        if name == JSON and parameters.get("as") == "APIGroupDiscoveryList" and parameters.get("g") == DISCOVERY:
            if version in ("v2", "v2beta1"):
                return MediaType(view="APIGroupDiscoveryList", version=version)
        elif "as" not in parameters and (found := _object_view(name, parameters)):
            return found
    return None if accept else PLAIN


def _object_view(name: str, parameters: dict[str, str]) -> MediaType | None:
    yaml = name in _YAML_NAMES
    if not yaml and name not in _ANY:
        return None
    view, version = parameters.get("as", ""), parameters.get("v", "")
    if view and (version not in _OBJECT_VIEWS.get(view, ()) or parameters.get("g") != META):
        return None
    return MediaType(yaml, view, version, parameters.get("stream") == "watch")


def _entries(accept: str) -> list[tuple[str, dict[str, str]]]:
    """Media types with parameters, best quality first; equal ones in the order given."""
    found = []
    for order, entry in enumerate(accept.split(",")):
        name, *rest = (part.strip() for part in entry.split(";"))
        pairs = (part.partition("=") for part in rest if part)
        parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
        quality = _quality(parameters.pop("q", "1"))
        if name and quality > 0:
            found.append((-quality, order, name.lower(), parameters))
    return [(name, parameters) for _, _, name, parameters in sorted(found, key=lambda each: each[:2])]


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


@lru_cache(maxsize=128)
def accepts_gzip(accept_encoding: str) -> bool:
    for name, parameters in _entries(accept_encoding):
        if name in ("gzip", "*"):
            return _quality(parameters.get("q", "1")) > 0
    return False


def content_type(header: str) -> str:
    """The media type of a request body without parameters, lower case; JSON when the header is absent."""
    return header.partition(";")[0].strip().lower() or JSON
