"""imagePullSecrets: credentials for registries from the Secrets that a pod names, and which an image is pulled with.

An entry is for a host, whose labels may be globs (`*.example.com`), and for repositories below a path. The more it
says, the sooner it is tried. Docker Hub's entry is called `index.docker.io`.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from kybern.kube.meta import Object
from kybern.node.core.images import normalize
from kybern.node.core.volumes import payload

HUB, HUB_HOST = "index.docker.io", "docker.io"


@dataclass(frozen=True)
class Credentials:
    """Who pulls, and from where; `registry` is `host[:port][/path]`."""

    registry: str
    username: str
    password: str


def read_credentials(secret: Object) -> list[Credentials]:
    """The entries of a dockerconfigjson or dockercfg Secret; what cannot be read is left out."""
    try:
        data = payload("secret", secret)
        if ".dockerconfigjson" in data:
            entries = json.loads(data[".dockerconfigjson"])["auths"]
        else:
            entries = json.loads(data.get(".dockercfg", b"{}"))
        found = [read_entry(str(name), entry) for name, entry in entries.items()]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return [one for one in found if one is not None]


def read_entry(name: str, entry: Any) -> Credentials | None:
    """One registry's entry: `username` and `password`, or both in `auth`."""
    username, password = entry.get("username") or "", entry.get("password") or ""
    if not username and entry.get("auth"):
        username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
    host, slash, path = name.removeprefix("https://").removeprefix("http://").partition("/")
    if path.startswith(("v1/", "v2/")) or path in ("v1", "v2"):
        path = path[3:]
    registry = f"{host}{slash}{path}".rstrip("/")
    return Credentials(registry, username, password.strip("\0")) if username else None


def credentials_for(image: str, known: Iterable[Credentials]) -> list[Credentials]:
    """Those that an image may be pulled with, in the order in which they are tried."""
    fitting = [one for one in known if fits(normalize(image), one.registry)]
    return sorted(fitting, key=lambda one: one.registry, reverse=True)


def fits(reference: str, registry: str) -> bool:
    """Whether an entry is for the repository of a full image name."""
    host, _, path = reference.partition("/")
    wanted_host, _, wanted_path = registry.partition("/")
    if host == HUB_HOST and wanted_host == HUB:
        return path.startswith(wanted_path)
    (name, _, port), (glob, _, wanted_port) = host.partition(":"), wanted_host.partition(":")
    labels, globs = name.split("."), glob.split(".")
    same = len(labels) == len(globs) and all(map(fnmatchcase, labels, globs))
    return same and port == wanted_port and path.startswith(wanted_path)
