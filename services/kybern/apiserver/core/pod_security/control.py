"""What a control is, and the phrases that all of them share."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Violation:
    """Why a control forbids a pod: a reason in a few words, and who exactly does what."""

    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


Check = Callable[[Object, Object], Violation | None]  # (the pod's metadata, its spec)


@dataclass(frozen=True)
class Control:
    """A rule of the standards. `versions`: from which minor release on which check applies.

    `overrides`: weaker controls of the level below that need not be asked as well, from a minor release on.
    """

    name: str
    versions: tuple[tuple[int, Check], ...]
    overrides: tuple[tuple[int, str], ...] = ()

    def check(self, minor: float) -> Check | None:
        """The check of a release; None if the control is younger."""
        found = [check for since, check in self.versions if since <= minor]
        return found[-1] if found else None


def containers(spec: Object) -> Iterator[Object]:
    """Every container: init, ordinary and ephemeral."""
    for group in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(group) or ()


def security(owner: Object) -> Object:
    """The securityContext of a pod's spec or a container."""
    return owner.get("securityContext") or {}


def quoted(names: Collection[str]) -> str:
    """`"a", "b"`."""
    return ", ".join(f'"{name}"' for name in names)


def plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def named(bad: Collection[str]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{plural(len(bad), 'container', 'containers')} {quoted(bad)}"


def setters(pod: bool, bad: Collection[str]) -> str:
    """`pod and container "a"`: who says something; "" for nobody."""
    parts = [*(["pod"] if pod else []), *([named(bad)] if bad else [])]
    return " and ".join(parts)


def runs_windows(spec: Object) -> bool:
    """Windows knows nothing of Linux' controls."""
    return (spec.get("os") or {}).get("name") == "windows"


def has_own_users(spec: Object) -> bool:
    """A pod in a user namespace: root there is nobody on the host."""
    return spec.get("hostUsers") is False
