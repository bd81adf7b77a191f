"""PodSecurity: pods keep to the standard that their namespace's labels enforce; workloads are warned about theirs."""

from kybern.apiserver.admission.plugin import CREATE, UPDATE, Object, Plugin
from kybern.apiserver.admission.pod_security_metrics import PodSecurityMetrics, about
from kybern.apiserver.core.pod_security.evaluate import (
    TEMPLATED,
    Template,
    describe,
    is_significant_update,
    namespace_warnings,
    template_of,
    violations,
)
from kybern.apiserver.core.pod_security.policy import (
    PREFIX,
    PRIVILEGED,
    Exemptions,
    LevelVersion,
    Policy,
    describe_labels,
    is_stricter,
    read_policy,
)
from kybern.apiserver.registry.request import Request
from kybern.apiserver.storage.entry import Entry
from kybern.apiserver.storage.selection import Selection
from kybern.kube.field import FieldError, aggregate
from kybern.kube.status import forbidden, invalid

EVALUATED = ("", "ephemeralcontainers", "resize")  # the subresources that may change what a pod is allowed


class PodSecurity(Plugin):
    """See the module's docstring. `defaults` are what a namespace without labels gets."""

    name = "PodSecurity"

    def __init__(
        self,
        defaults: Policy | None = None,
        exemptions: Exemptions | None = None,
        metrics: PodSecurityMetrics | None = None,
    ) -> None:
        self._defaults = defaults or Policy()
        self._exempt = exemptions or Exemptions()
        self._metrics = metrics or PodSecurityMetrics(None)

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        if new is None or operation not in (CREATE, UPDATE):
            return
        kind = (request.served.stored.group, request.resource)
        if kind == ("", "namespaces"):
            if not request.subresource:
                self._namespace(request, new, old if operation == UPDATE else None)
            return
        if kind == ("", "pods"):
            if request.subresource not in EVALUATED:
                return
            if operation == UPDATE and old is not None and not is_significant_update(new, old):
                return
            self._evaluate(request, Template(new["metadata"], new.get("spec") or {}), enforce=True)
        elif kind in TEMPLATED and not request.subresource:
            template = template_of(*kind, new)
            if template is not None:
                self._evaluate(request, template, enforce=False)

    def _evaluate(self, request: Request, template: Template, enforce: bool) -> None:
        """Refuse a pod, or warn. Raises StatusError (403)."""
        of = about(request)
        exempt = self._exemption(request, template)
        if exempt:
            self._metrics.exempted(of)
            _note(request, "exempt", exempt)
            return
        namespace = request.server.table.cacher("", "namespaces").get("", request.namespace)
        if namespace is None:
            return
        policy, errors = read_policy(namespace.labels, self._defaults)
        if errors:
            self._metrics.failed(of)
            _note(request, "error", f"Failed to parse policy: {aggregate(errors)}")
        if enforce:
            _note(request, "enforce-policy", str(policy.enforce))
        if policy.allows_all:
            if enforce:
                self._metrics.evaluated(of, policy.enforce, "enforce", allowed=True)
            return
        found = self._violated(policy.audit, template)
        if found:
            self._metrics.evaluated(of, policy.audit, "audit", allowed=False)
            _note(request, "audit-violations", f'would violate PodSecurity "{policy.audit}": {found}')
        if enforce:
            found = self._violated(policy.enforce, template)
            self._metrics.evaluated(of, policy.enforce, "enforce", allowed=not found)
            if found:
                why = f'violates PodSecurity "{policy.enforce}": {found}'
                raise forbidden(request.group, request.resource, request.name, why)
        found = self._violated(policy.warn, template)
        if found:
            self._metrics.evaluated(of, policy.warn, "warn", allowed=False)
            request.warnings.append(f'would violate PodSecurity "{policy.warn}": {found}')

    def _exemption(self, request: Request, template: Template) -> str:
        if request.namespace in self._exempt.namespaces:
            return "namespace"
        if request.user.name in self._exempt.usernames:
            return "user"
        return "runtimeClass" if template.spec.get("runtimeClassName") in self._exempt.runtime_classes else ""

    def _violated(self, wanted: LevelVersion, template: Template) -> str:
        if wanted.level == PRIVILEGED:
            return ""
        return describe(violations(wanted, template.metadata, template.spec))

    def _namespace(self, request: Request, new: Object, old: Object | None) -> None:
        """Labels must be readable; a stricter level comes with warnings. Raises StatusError (422)."""
        labels = new["metadata"].get("labels") or {}
        policy, errors = read_policy(labels, self._defaults)
        if old is None:
            _check(request, errors)
        else:
            before, known = read_policy(old["metadata"].get("labels") or {}, self._defaults)
            if [str(error) for error in errors] != [str(error) for error in known]:
                _check(request, errors)
        stricter = old is None or is_stricter(policy.enforce, before.enforce)
        if request.name in self._exempt.namespaces:
            if stricter and not policy.allows_all and policy != self._defaults:
                ignored = describe_labels(policy, labels)
                name = request.name
                request.warnings.append(
                    f'namespace "{name}" is exempt from Pod Security, and the policy ({ignored}) will be ignored'
                )
        elif old is not None and stricter:
            pods = [entry.decode() for entry in _pods(request)]
            kept = [p for p in pods if p["spec"].get("runtimeClassName") not in self._exempt.runtime_classes]
            request.warnings += namespace_warnings(request.name, policy.enforce, kept)


def _check(request: Request, errors: list[FieldError]) -> None:
    if errors:
        raise invalid("", "Namespace", request.name, errors)


def _note(request: Request, what: str, text: str) -> None:
    """For the audit log."""
    request.audit_annotations[PREFIX + what] = text


def _pods(request: Request) -> list[Entry]:
    return [*request.server.table.cacher("", "pods").select(Selection(request.name))]
