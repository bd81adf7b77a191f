"""Random writes, step by step: after each both answer the same, managedFields included; the same seeds every time."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from same import Both, differences, readable

Object = dict[str, Any]
TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
SEEDS, STEPS = range(24), 40
LABELS, WORDS = ("a", "b.c/d", "e"), ("x", "y", "z")


def some(chance: random.Random, **members: Callable[[], Any]) -> Object:
    """Some of the members, each made anew."""
    return {name: make() for name, make in members.items() if chance.random() < 0.6}


def labels(chance: random.Random) -> Object:
    return {name: chance.choice(WORDS) for name in LABELS if chance.random() < 0.5}


def metadata(chance: random.Random) -> Object:
    finalizers = [name for name in ("a.b/c", "d.e/f", "g.h/i") if chance.random() < 0.3]
    return some(
        chance, labels=lambda: labels(chance), annotations=lambda: labels(chance), finalizers=lambda: finalizers
    )


def environment(chance: random.Random) -> list[Object]:
    return [{"name": name, "value": chance.choice(WORDS)} for name in "ABC" if chance.random() < 0.5]


def container(chance: random.Random, name: str) -> Object:
    ports = [{"containerPort": port} for port in (80, 81, 82) if chance.random() < 0.4]
    return {"name": name, "image": chance.choice(WORDS)} | some(
        chance,
        env=lambda: environment(chance),
        ports=lambda: ports,
        args=lambda: [chance.choice(WORDS)],
        resources=lambda: {"requests": {"cpu": chance.choice(("1", "500m", "0.5"))}},
    )


def pod_spec(chance: random.Random) -> Object:
    names = [name for name in ("c", "d") if chance.random() < 0.6] or ["c"]
    return {"containers": [container(chance, name) for name in names]} | some(
        chance,
        tolerations=lambda: [{"key": name, "operator": "Exists"} for name in "kl" if chance.random() < 0.5],
        nodeSelector=lambda: labels(chance),
        volumes=lambda: [{"name": name, "emptyDir": {}} for name in "vw" if chance.random() < 0.5],
        hostname=lambda: chance.choice(WORDS),
    )


def config_map(chance: random.Random) -> Object:
    return some(chance, data=lambda: labels(chance) and {name[0]: value for name, value in labels(chance).items()})


def deployment(chance: random.Random) -> Object:
    template = {"metadata": {"labels": {"app": "x"} | labels(chance)}, "spec": pod_spec(chance)}
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": template}
    return {"spec": spec | some(chance, replicas=lambda: chance.randrange(4), paused=lambda: chance.random() < 0.5)}


def service(chance: random.Random) -> Object:
    ports = [{"name": f"p{port}", "port": port} for port in (80, 81, 82) if chance.random() < 0.6]
    ports = ports or [{"name": "p80", "port": 80}]
    for port in ports:
        port |= some(chance, targetPort=lambda: chance.choice((8080, "http")), appProtocol=lambda: "a.b/c")
    return {"spec": {"ports": ports} | some(chance, selector=lambda: labels(chance), sessionAffinity=lambda: "None")}


def pod(chance: random.Random) -> Object:
    return {"spec": {"containers": [{"name": "c", "image": chance.choice(WORDS)}]}}


KINDS: dict[str, tuple[str, str, str, Callable[[random.Random], Object]]] = {
    "configmaps": ("/api/v1", "v1", "ConfigMap", config_map),
    "deployments": ("/apis/apps/v1", "apps/v1", "Deployment", deployment),
    "services": ("/api/v1", "v1", "Service", service),
    "pods": ("/api/v1", "v1", "Pod", pod),
}


@dataclass
class Run:
    """One object under random writes."""

    both: Both
    chance: random.Random
    resource: str
    namespace: str

    def __post_init__(self) -> None:
        root, self.version, self.kind, self.make = KINDS[self.resource]
        self.path = f"{root}/namespaces/{self.namespace}/{self.resource}"

    def whole(self) -> Object:
        named = {"name": "o", **metadata(self.chance)}
        return {"apiVersion": self.version, "kind": self.kind, "metadata": named, **self.make(self.chance)}

    def step(self) -> tuple[str, str, Any, dict[str, str]]:
        """(method, path, body, headers) of the next request."""
        agent = {"User-Agent": self.chance.choice(("ann", "bob"))}
        kind = self.chance.choice(("put", "json", "merge", "strategic", "apply", "apply", "apply"))
        if kind == "put":
            return "PUT", f"{self.path}/o", self.whole(), agent
        if kind == "apply":
            manager, force = self.chance.choice(("m1", "m2", "m3")), self.chance.choice(("", "&force=true"))
            headers = agent | {"Content-Type": "application/apply-patch+yaml"}
            return "PATCH", f"{self.path}/o?fieldManager={manager}{force}", self.whole(), headers
        headers = agent | {"Content-Type": TYPES[kind]}
        if kind == "json":
            return "PATCH", f"{self.path}/o", self.json_patch(), headers
        body = self.whole()
        del body["apiVersion"], body["kind"]
        if self.chance.random() < 0.5:
            body = {"metadata": {"labels": {**labels(self.chance), self.chance.choice(LABELS): None}}}
        return "PATCH", f"{self.path}/o", body, headers

    def json_patch(self) -> list[Object]:
        value = metadata(self.chance)
        change = [{"op": "add", "path": f"/metadata/{name}", "value": each} for name, each in value.items()]
        if self.chance.random() < 0.3:
            change.append({"op": "remove", "path": f"/metadata/{self.chance.choice(('labels', 'annotations'))}"})
        return change


def outcome(answer: Any) -> Any:
    """What has to agree: not the order of managers, which goes by the second of their writes or is that of a Go map.

    A refusal of a pod's update shows the two specs in the words of a Go program.
    """
    said = readable(answer)
    body = said["body"]
    if said["status"] == 422 and "fields other than" in body["message"]:
        return said["status"]
    if said["status"] == 409:
        body.get("details", {}).get("causes", []).sort(key=json.dumps)
    body["metadata"].get("managedFields", []).sort(key=lambda one: (one["manager"], one["operation"]))
    return said


@pytest.mark.timeout(600)
@pytest.mark.parametrize("resource", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_sequences(both: Both, namespace: str, resource: str, seed: int) -> None:
    run = Run(both, random.Random(f"{resource}{seed}"), resource, namespace)
    steps: list[str] = []
    both.same("POST", run.path, run.whole())
    for _ in range(STEPS):
        request = run.step()
        steps.append(json.dumps(request))
        method, path, body, headers = request
        pair = both.ask(method, path, body, headers=headers)
        found = differences(outcome(pair.kube), outcome(pair.kybern))
        found = [line for line in found if ".time:" not in line]
        assert not found, "\n".join([*steps[-3:], *found])
