"""Two servers asked the same thing, and what of their answers has to agree."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from servers import Answer, Server

ROOT_USER = ("root", "system:masters")
OWN_HEADERS = ("content-type", "warning", "retry-after", "allow", "location", "cache-control", "www-authenticate")
UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SUFFIX = re.compile(r"\b(kube-api-access-|generated-)[a-z0-9]{5}\b")  # tests that want a generateName take `generated-`
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
# Values that each server makes up: their presence has to agree.
MADE_UP = frozenset(("uid", "resourceVersion", "clusterIP", "continue", "healthCheckNodePort"))


@dataclass(frozen=True)
class Pair:
    """Both answers."""

    kube: Answer
    kybern: Answer


def normal(value: Any, key: str = "") -> Any:
    """The document without what differs between two servers that mean the same."""
    if isinstance(value, dict):
        return {name: normal(item, name) for name, item in value.items()}
    if isinstance(value, list):
        if key == "columnDefinitions":  # Kybern words its descriptions anew
            return [{name: item for name, item in column.items() if name != "description"} for column in value]
        if key == "clusterIPs":
            return [item if item == "None" else "ADDRESS" for item in value]
        return [normal(item) for item in value]
    if key in MADE_UP and value not in ("", "None", None):
        return key.upper()
    if key == "nodePort" and value:
        return "NODEPORT"
    if isinstance(value, str):
        return SUFFIX.sub(r"\1SUFFIX", TIME.sub("TIME", UID.sub("UID", value)))
    return value


def readable(answer: Answer) -> Any:
    """Status, headers and normal body; a watch is a list of events."""
    headers = {name: answer.headers[name] for name in OWN_HEADERS if name in answer.headers}
    try:
        body = normal(json.loads(answer.body)) if answer.body else ""
    except ValueError:
        lines = answer.body.splitlines()
        try:
            body = [normal(json.loads(line)) for line in lines]
        except ValueError:
            body = normal(answer.body.decode("utf-8", "replace"))
    return {"status": answer.status, "headers": headers, "body": body}


def differences(kube: Any, kybern: Any, path: str = "") -> list[str]:
    """One line for each place where two documents differ."""
    if isinstance(kube, dict) and isinstance(kybern, dict):
        found = []
        for name in [*kube, *(name for name in kybern if name not in kube)]:
            found += differences(kube.get(name, "(absent)"), kybern.get(name, "(absent)"), f"{path}.{name}")
        return found
    if isinstance(kube, list) and isinstance(kybern, list) and len(kube) == len(kybern):
        pairs = enumerate(zip(kube, kybern, strict=True))
        return [line for i, (left, right) in pairs for line in differences(left, right, f"{path}[{i}]")]
    return [] if kube == kybern else [f"{path}:\n  kube:   {json.dumps(kube)}\n  kybern: {json.dumps(kybern)}"]


class Both:
    """The two servers under test."""

    def __init__(self, kube: Server, kybern: Server) -> None:
        self.kube, self.kybern = kube, kybern

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        user: tuple[str, ...] = ROOT_USER,
    ) -> Pair:
        """Ask both. A body that is not bytes is sent as JSON; PATCH is a merge patch unless headers say otherwise."""
        given = {"User-Agent": "compare", **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            given.setdefault("Content-Type", kind)
        return Pair(self.kube.ask(method, path, body, given, user), self.kybern.ask(method, path, body, given, user))

    def diff(self, *arguments: Any, **named: Any) -> list[str]:
        """Ask both and tell how the answers differ."""
        pair = self.ask(*arguments, **named)
        return differences(readable(pair.kube), readable(pair.kybern))

    def same(self, *arguments: Any, **named: Any) -> Pair:
        """Ask both; their answers have to agree. Returns them."""
        pair = self.ask(*arguments, **named)
        found = differences(readable(pair.kube), readable(pair.kybern))
        assert not found, f"{arguments[0]} {arguments[1]}\n" + "\n".join(found)
        return pair
