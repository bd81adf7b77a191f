"""Resource requests of a pod: what a node has to hold free for it.

CPU counts in millicores, everything else in whole units (bytes, devices), fractions rounded up.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from kybern.kube.quantity import QuantityError, parse

Amounts = dict[str, int]

# A container that asks for nothing still weighs something when nodes are compared (never when they are filtered).
NONZERO = {"cpu": 100, "memory": 200 * 1024 * 1024}
POD_LEVEL = ("cpu", "memory")  # and huge pages: what spec.resources may set for the pod as a whole


def amounts(quantities: Mapping[str, Any] | None) -> Amounts:
    """A ResourceList as whole numbers; what cannot be read counts as nothing."""
    return {name: amount(name, value) for name, value in (quantities or {}).items()}


def amount(name: str, value: Any) -> int:
    try:
        quantity = parse(value)
    except QuantityError:
        return 0
    return quantity.milli_value() if name == "cpu" else quantity.value()


def pod_requests(spec: Mapping[str, Any], least: Mapping[str, int] | None = None) -> Amounts:
    """The sum over containers and sidecars, or the largest init step if that is more, plus the overhead.

    Sidecars (init containers that restart always) run beside every later step. `least` stands in for what a
    container does not ask for.
    """
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _container(container, least))
    sidecars: Amounts = {}
    step: Amounts = {}
    for container in spec.get("initContainers") or ():
        wanted = _container(container, least)
        if container.get("restartPolicy") == "Always":
            _add(total, wanted)
            _add(sidecars, wanted)
            wanted = dict(sidecars)
        else:
            _add(wanted, sidecars)
        _most(step, wanted)
    _most(total, step)
    for name, value in amounts((spec.get("resources") or {}).get("requests")).items():
        if name in POD_LEVEL or name.startswith("hugepages-"):
            total[name] = value
    _add(total, amounts(spec.get("overhead")))
    return {name: value for name, value in total.items() if value}


def _container(container: Mapping[str, Any], least: Mapping[str, int] | None) -> Amounts:
    wanted = amounts((container.get("resources") or {}).get("requests"))
    for name, value in (least or {}).items():
        wanted.setdefault(name, value)
    return wanted


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _most(total: Amounts, other: Mapping[str, int]) -> None:
    for name, value in other.items():
        total[name] = max(total.get(name, 0), value)


def host_ports(containers: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str, int], ...]:
    """(address, protocol, port) of every host port, each once; address 0.0.0.0 stands for all."""
    found = {
        (port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", int(port["hostPort"]))
        for container in containers
        for port in container.get("ports") or ()
        if port.get("hostPort")
    }
    return tuple(sorted(found))
