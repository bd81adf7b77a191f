"""The chain times its plugins and its phases, by operation and by whether they refused."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from kybern.apiserver.admission.chain import Chain
from kybern.apiserver.admission.plugin import Object, Plugin
from kybern.apiserver.admission.times import AdmissionTimes
from kybern.kube.status import StatusError, forbidden

PODS = ("", "pods")


class Clock:
    """Stands still unless somebody takes time."""

    def __init__(self) -> None:
        self.now = 0.0


class Slow(Plugin):
    name = "Slow"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def mutate(self, request: Any, operation: str, new: Object, old: Object | None) -> None:
        self._clock.now += 2.0

    async def before_delete(self, request: Any, old: Object) -> None:
        self._clock.now += 0.25


class Refusing(Slow):
    name = "Refusing"
    concerns = frozenset({PODS})

    async def validate(self, request: Any, operation: str, new: Object | None, old: Object | None) -> None:
        self._clock.now += 4.0
        raise forbidden("", "pods", "x", "no")


@pytest.fixture
def seen() -> tuple[Chain, Callable[[str], dict[tuple[str, ...], tuple[float, float]]]]:
    clock, registry = Clock(), CollectorRegistry()
    chain = Chain((Slow(clock), Refusing(clock)), AdmissionTimes(lambda: clock.now, registry))

    def read(kind: str) -> dict[tuple[str, ...], tuple[float, float]]:
        """How often and how long, by the values of the labels in the order of their names."""
        found: dict[tuple[str, ...], tuple[float, float]] = {}
        name = f"apiserver_admission_{kind}_admission_duration_seconds"
        for family in registry.collect():
            for sample in family.samples:
                if sample.name == f"{name}_count":
                    total = registry.get_sample_value(f"{name}_sum", sample.labels)
                    found[tuple(sample.labels[key] for key in sorted(sample.labels))] = (sample.value, total or 0.0)
        return found

    return chain, read


def request(resource: str) -> Any:
    served = SimpleNamespace(group_resource=("", resource))
    return SimpleNamespace(served=served, name="x", name_generated=False, of_collection=False)


def test_each_plugin_and_each_phase(seen: Any) -> None:
    chain, read = seen
    asyncio.run(chain.mutate(request("pods"), "CREATE", {}, None))
    asyncio.run(chain.mutate(request("nodes"), "UPDATE", {}, {}))
    assert read("controller") == {
        ("Slow", "CREATE", "false", "admit"): (1, 2.0),
        ("Refusing", "CREATE", "false", "admit"): (1, 2.0),
        ("Slow", "UPDATE", "false", "admit"): (1, 2.0),
    }, "of those that a resource concerns"
    assert read("step") == {("CREATE", "false", "admit"): (1, 4.0), ("UPDATE", "false", "admit"): (1, 2.0)}


def test_operations_that_a_plugin_is_not_asked_about() -> None:
    clock = Clock()
    chain = Chain((Slow(clock), Refusing(clock)), None, {Refusing: ("UPDATE",)})
    asyncio.run(chain.validate(request("pods"), "CREATE", {}, None))
    asyncio.run(chain.mutate(request("pods"), "CREATE", {}, None))
    assert clock.now == 2.0, "the other is"


def test_refusals(seen: Any) -> None:
    chain, read = seen
    with pytest.raises(StatusError):
        asyncio.run(chain.validate(request("pods"), "CREATE", {}, None))
    assert read("controller") == {("Refusing", "CREATE", "true", "validate"): (1, 4.0)}
    assert read("step") == {("CREATE", "true", "validate"): (1, 4.0)}


def test_deletions(seen: Any) -> None:
    chain, read = seen
    asyncio.run(chain.delete(request("nodes"), {}))
    assert read("step") == {("DELETE", "false", "admit"): (1, 0.25), ("DELETE", "false", "validate"): (1, 0.0)}
