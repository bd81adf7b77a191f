"""Webhook configurations, compiled once per change: every webhook with what it matches and where it is.

Webhooks are in the order in which they are called: configurations by name, then as they stand in each.
"""

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from kybern.apiserver.admission.compiled import Compiled
from kybern.apiserver.admission.plugin import Plugin
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.resource_table import Served
from kybern.apiserver.webhooks.kubeconfig import Users
from kybern.apiserver.webhooks.target import ANONYMOUS, Credentials, Target, read_target
from kybern.kube import selectors
from kybern.kube.selectors import Selector

if TYPE_CHECKING:
    from kybern.apiserver.admission.conditions import Conditions

Object = dict[str, Any]
Shape = tuple[Served, str, str, bool]  # operation, subresource, whether in a namespace
VERSIONS = ("v1", "v1beta1")  # of AdmissionReview
DEFAULT_SECONDS = 10
GROUP = "admissionregistration.k8s.io"


@dataclass(slots=True)
class Known:
    """What has been found out about a webhook's rules, while the resource table is the same."""

    etag: int = -1
    versions: dict[Shape, Served | None] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class Webhook:
    """One entry of `webhooks`. `uid` tells it from all others."""

    configuration: str
    name: str
    uid: str
    target: Target
    rules: tuple[Object, ...]
    match_policy: str
    namespaces: Selector
    objects: Selector
    conditions: "Conditions | None"
    fails_open: bool
    seconds: float
    dry_runs: bool  # without side effects, or none on dry run
    version: str  # of AdmissionReview; "" if it knows none that this server speaks
    reinvocable: bool = False
    credentials: Credentials = ANONYMOUS
    known: Known = field(default_factory=Known)


def compile_webhooks(configuration: Object, users: Users) -> tuple[Webhook, ...]:
    """The webhooks of one configuration, called as `users` says."""
    name, seen, found = configuration["metadata"]["name"], dict[str, int](), []
    for hook in configuration.get("webhooks") or ():
        nth = seen[hook["name"]] = seen.get(hook["name"], -1) + 1
        found.append(_compiled(name, f"{name}/{hook['name']}/{nth}", hook, users))
    return tuple(found)


def _compiled(configuration: str, uid: str, hook: Object, users: Users) -> Webhook:
    target = read_target(hook.get("clientConfig") or {})
    spoken = hook.get("admissionReviewVersions") or ("v1beta1",)
    return Webhook(
        configuration,
        hook["name"],
        uid,
        target,
        tuple(hook.get("rules") or ()),
        hook.get("matchPolicy") or "Equivalent",
        selectors.from_label_selector(hook.get("namespaceSelector") or {}),
        selectors.from_label_selector(hook.get("objectSelector") or {}),
        _conditions(hook.get("matchConditions")),
        hook.get("failurePolicy") == "Ignore",
        float(hook.get("timeoutSeconds") or DEFAULT_SECONDS),
        hook.get("sideEffects") in ("None", "NoneOnDryRun"),
        next((version for version in spoken if version in VERSIONS), ""),
        hook.get("reinvocationPolicy") == "IfNeeded",
        users.of(target),
    )


def _conditions(wanted: list[Object] | None) -> "Conditions | None":
    if not wanted:
        return None
    from kybern.apiserver.admission.conditions import Conditions  # CEL is a large library: loaded when first needed

    return Conditions(wanted)


class WebhookPlugin(Plugin):
    """What both webhook plugins have: the webhooks of the configurations of one resource, and their users."""

    resource = ""

    def __init__(self, users: Users | None = None) -> None:
        self._users = users or Users()
        self._configurations: Compiled[tuple[Webhook, ...]] | None = None

    def _webhooks(self, request: Request) -> tuple[Webhook, ...]:
        """In order of their calls."""
        if self._configurations is None:
            cacher = request.server.table.cacher(GROUP, self.resource)
            self._configurations = Compiled(cacher, lambda found: compile_webhooks(found, self._users))
        found = self._configurations.all()
        return tuple(chain.from_iterable(found)) if found else ()
