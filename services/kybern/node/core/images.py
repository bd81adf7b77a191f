"""Image names and pull policy."""

import re

from kybern.kube.meta import Object

COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
TAG, DIGEST = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z0-9]+)*:[0-9a-fA-F]{32,}"
REFERENCE = re.compile(rf"(?:{HOST}/)?{COMPONENT}(?:/{COMPONENT})*(?::{TAG})?(?:@{DIGEST})?")


def problem(image: str) -> str:
    """Why this is no name of an image; "" when it is one."""
    if REFERENCE.fullmatch(normalize(image)):
        return ""
    more = ": repository name must be lowercase" if REFERENCE.fullmatch(normalize(image).lower()) else ""
    return f'couldn\'t parse image name "{image}": invalid reference format{more}'


def normalize(image: str) -> str:
    """A full reference: `busybox` is docker.io/library/busybox:latest."""
    name, at, digest = image.partition("@")
    first, slash, _ = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}" if slash else f"docker.io/library/{name}"
    if ":" not in name.rpartition("/")[2] and not at:
        name += ":latest"
    return f"{name}{at}{digest}"


def pull_policy(container: Object) -> str:
    """Always, IfNotPresent or Never; the default depends on the tag."""
    if policy := container.get("imagePullPolicy"):
        return str(policy)
    image = container.get("image", "")
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return "Always" if (not tag and "@" not in image) or tag == "latest" else "IfNotPresent"
