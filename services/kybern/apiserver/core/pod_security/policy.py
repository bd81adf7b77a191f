"""The policy of a namespace: level and version to enforce, to audit and to warn about, from its labels."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kybern.kube.field import FieldError, invalid

PREFIX = "pod-security.kubernetes.io/"
PRIVILEGED, BASELINE, RESTRICTED = LEVELS = ("privileged", "baseline", "restricted")
MODES = ("enforce", "audit", "warn")
LATEST = "latest"
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)")


@dataclass(frozen=True)
class LevelVersion:
    """How strict, and by the rules of which release."""

    level: str = PRIVILEGED
    version: str = LATEST

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"

    @property
    def minor(self) -> float:
        """The release's minor number; later than any for `latest`."""
        return float("inf") if self.version == LATEST else int(self.version.removeprefix("v1."))


@dataclass(frozen=True)
class Policy:
    """What a namespace asks for."""

    enforce: LevelVersion = field(default_factory=LevelVersion)
    audit: LevelVersion = field(default_factory=LevelVersion)
    warn: LevelVersion = field(default_factory=LevelVersion)

    @property
    def allows_all(self) -> bool:
        """True if no pod violates it."""
        return all(getattr(self, mode).level == PRIVILEGED for mode in MODES)


@dataclass(frozen=True)
class Exemptions:
    """Who and what no policy applies to."""

    usernames: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    runtime_classes: frozenset[str] = frozenset()


def read_policy(labels: Mapping[str, str], defaults: Policy) -> tuple[Policy, list[FieldError]]:
    """The policy, and what is wrong with the labels.

    A level that cannot be read is `restricted` for enforcing, and nothing for the others; such a version is the latest.
    """
    policy, errors = defaults, []
    for mode in MODES:
        wanted: LevelVersion = getattr(policy, mode)
        level, version = labels.get(PREFIX + mode), labels.get(f"{PREFIX}{mode}-version")
        if level is not None:
            if level not in LEVELS:
                errors.append(_wrong(PREFIX + mode, level, f"must be one of {', '.join(LEVELS)}"))
                level = RESTRICTED if mode == "enforce" else PRIVILEGED
            wanted = replace(wanted, level=level)
        if version is not None:
            if version != LATEST and not _VERSION.fullmatch(version):
                errors.append(_wrong(f"{PREFIX}{mode}-version", version, 'must be "latest" or "v1.x"'))
                version = LATEST
            wanted = replace(wanted, version=version)
        if wanted != getattr(policy, mode):
            policy = replace(policy, **{mode: wanted})
    if PREFIX + "enforce" in labels and PREFIX + "warn" not in labels and _above(policy.enforce, policy.warn):
        policy = replace(policy, warn=policy.enforce)  # workloads whose pods will be refused are warned about
    return policy, errors


def _above(one: LevelVersion, other: LevelVersion) -> bool:
    return LEVELS.index(one.level) > LEVELS.index(other.level)


def _wrong(label: str, value: str, why: str) -> FieldError:
    return invalid(f"metadata.labels[{label}]", value, why)


def describe_labels(policy: Policy, labels: Mapping[str, str]) -> str:
    """`enforce=baseline:latest, warn=restricted:v1.30`: what labels ask for that forbids anything."""
    said = [mode for mode in MODES if PREFIX + mode in labels or f"{PREFIX}{mode}-version" in labels]
    return ", ".join(f"{mode}={wanted}" for mode in said if (wanted := getattr(policy, mode)).level != PRIVILEGED)


def is_stricter(new: LevelVersion, old: LevelVersion) -> bool:
    """Whether pods that were allowed may be forbidden now."""
    if new == old or new.level == PRIVILEGED:
        return False
    return new.version != old.version or LEVELS.index(new.level) > LEVELS.index(old.level)
