"""What both plugins of admission policies have: the policies that are bound to something, and the metrics of them."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kybern.apiserver.admission.matching import GROUP
from kybern.apiserver.admission.plugin import Object, Plugin
from kybern.apiserver.admission.policy_metrics import PolicyMetrics
from kybern.apiserver.registry.request import Request
from kybern.apiserver.storage.cacher import Cacher

if TYPE_CHECKING:
    from kybern.apiserver.admission.policy_compiled import Policies

P = TypeVar("P", bound=Any)  # a Policy, whose module loads CEL


class PolicyPlugin(Plugin, ABC, Generic[P]):
    """`kind` is validating or mutating."""

    kind = ""

    def __init__(self) -> None:
        self._cacher: Cacher | None = None
        self._policies: Policies[P] | None = None
        self._metrics: PolicyMetrics | None = None

    @abstractmethod
    def compile(self, policy: Object) -> P:
        """An expression that does not compile fails when it is needed."""

    def bound(self, request: Request) -> list[P]:
        """The policies, in order; CEL is loaded when there is the first."""
        if self._policies is None:
            table = request.server.table
            if self._cacher is None:
                self._cacher = table.cacher(GROUP, self.kind + "admissionpolicies")
            policies = self._cacher
            if not policies.entries:
                return []
            bindings = table.cacher(GROUP, self.kind + "admissionpolicybindings")
            from kybern.apiserver.admission.policy_compiled import Policies

            self._policies = Policies(policies, bindings, self.compile)
        return self._policies.bound()

    def metrics(self, request: Request) -> PolicyMetrics:
        """Registered when the first policy is evaluated."""
        if self._metrics is None:
            self._metrics = PolicyMetrics(request.server.telemetry.registry, self.kind)
        return self._metrics
