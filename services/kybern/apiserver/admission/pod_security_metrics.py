"""pod_security_*: evaluations by outcome, level and version; exemptions; labels that cannot be read."""

from prometheus_client import CollectorRegistry

from kybern.apiserver.core.pod_security.policy import LATEST, PRIVILEGED, LevelVersion
from kybern.apiserver.registry.request import Request
from kybern.telemetry.counted import Counts

About = tuple[str, str, str]  # operation, resource, subresource
OF = ("request_operation", "resource", "subresource")
OPERATIONS, RESOURCES = ("create", "update"), ("pod", "controller")
KINDS = {"pods": "pod", "namespaces": "namespace"}


def about(request: Request) -> About:
    """What is asked, as the labels of all families say it."""
    operation = "create" if request.verb == "create" else "update"
    return operation, KINDS.get(request.resource, "controller"), request.subresource


class PodSecurityMetrics:
    """Kubernetes' names; some series are there from the start, as there."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        labels = ("decision", "policy_level", "policy_version", "mode", *OF)
        allowed = ("allow", "privileged", "latest", "enforce")
        self._evaluations = Counts(
            registry,
            "pod_security_evaluations_total",
            "[ALPHA] Pods and templates that were held against a level.",
            labels,
            [(*allowed, operation, "pod", "") for operation in OPERATIONS],
        )
        self._exemptions = Counts(
            registry,
            "pod_security_exemptions_total",
            "[ALPHA] Those that were not.",
            OF,
            [(operation, resource, "") for operation in OPERATIONS for resource in RESOURCES],
        )
        self._errors = Counts(
            registry, "pod_security_errors_total", "[ALPHA] Labels that could not be read.", ("fatal", *OF)
        )

    def evaluated(self, of: About, against: LevelVersion, mode: str, *, allowed: bool) -> None:
        """One look; what is privileged is so in every version."""
        level = against.level
        version = "latest" if level == PRIVILEGED or against.version == LATEST else str(against.version)
        self._evaluations.add("allow" if allowed else "deny", level, version, mode, *of)

    def exempted(self, of: About) -> None:
        """Nobody looked."""
        self._exemptions.add(*of)

    def failed(self, of: About) -> None:
        """Labels cannot be read: the strictest level stands for them."""
        self._errors.add("false", *of)
