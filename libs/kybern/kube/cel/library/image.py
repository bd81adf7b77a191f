"""References of container images: `image('registry.example.com/pause:3.9').registry()`; or as Docker completes them."""

import re
from dataclasses import dataclass
from typing import ClassVar

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.overloads import Overload, member, plain, walks
from kybern.kube.cel.values import Opaque

NAME = "kubernetes.Image"
LONGEST_NAME = 255
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<registry>{_DOMAIN})/)?(?P<repository>{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_HEX = {"sha256": 64, "sha384": 96, "sha512": 128}


@dataclass(frozen=True, slots=True)
class Image(Opaque):
    """A reference; parts that it does not have are empty."""

    type_name: ClassVar[str] = NAME
    registry: str
    repository: str
    tag: str
    digest: str


def image(text: str, normalize: bool = False) -> Image:
    """Raises EvaluationError."""
    match = _REFERENCE.fullmatch(_completed(text) if normalize else text)
    if match is None or len(match["repository"]) > LONGEST_NAME or not _is_digest(match["digest"]):
        raise EvaluationError(f"failed to parse image: {text}, err: invalid reference format")
    tag, digest = match["tag"] or "", match["digest"] or ""
    if normalize and not tag and not digest:
        tag = "latest"
    return Image(match["registry"] or "", match["repository"], tag, digest)


def _is_digest(text: str | None) -> bool:
    if text is None:
        return True
    algorithm, _, value = text.partition(":")
    return len(value) == _HEX.get(algorithm, 0) and value == value.lower()


def _completed(text: str) -> str:
    """With the registry and the repository that a short name means."""
    first, slash, rest = text.partition("/")
    if not slash or not (set(first) & {".", ":"} or first == "localhost" or first != first.lower()):
        first, rest = "docker.io", text
    if first == "index.docker.io":
        first = "docker.io"
    if first == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    return f"{first}/{rest}"


def _is_image(text: str) -> bool:
    try:
        image(text)
    except EvaluationError:
        return False
    return True


OVERLOADS: list[Overload] = [
    plain("image", f"string -> {NAME}", image, walks),
    plain("image", f"string, bool -> {NAME}", image, walks),
    plain("isImage", "string -> bool", _is_image, walks),
    member("containsDigest", f"{NAME} -> bool", lambda found: bool(found.digest)),
    member("registry", f"{NAME} -> string", lambda found: found.registry),
    member("repository", f"{NAME} -> string", lambda found: found.repository),
    member("identifier", f"{NAME} -> string", lambda found: found.digest or found.tag),
    member("tag", f"{NAME} -> string", lambda found: found.tag),
    member("digest", f"{NAME} -> string", lambda found: found.digest),
]
