"""The second layer: system:masters may do everything; the Node authorizer speaks for node agents; then RBAC.

Other modes (ABAC, Webhook …) are asked where flags name them.
"""

from collections.abc import Callable, Sequence

from kybern.apiserver.authorization import rbac
from kybern.apiserver.authorization.metrics import AuthorizationMetrics
from kybern.apiserver.authorization.modes import DEFAULT, AuthorizationSettings, Modes
from kybern.apiserver.authorization.node import NodeAuthorizer, Rules
from kybern.apiserver.authorization.rbac import RbacAuthorizer
from kybern.apiserver.authorization.refusal import Denied, forbidden
from kybern.apiserver.authorization.webhook import Opinion, WebhookAuthorizer
from kybern.apiserver.core.rbac_index import RbacIndex
from kybern.apiserver.core.user import User
from kybern.apiserver.storage.cacher import Cacher
from kybern.kube.rbac import Attributes
from kybern.kube.status import not_found, status_error


class Authorizer:
    """One yes is enough."""

    def __init__(
        self,
        node_rules: Rules,
        metrics: AuthorizationMetrics,
        settings: AuthorizationSettings | None = None,
        webhooks: Sequence[WebhookAuthorizer] = (),
    ) -> None:
        self.rbac = RbacAuthorizer()
        self.node = NodeAuthorizer(node_rules)
        self.metrics = metrics
        self.modes: Modes | None = None  # None: Node, RBAC
        self.refused = 0  # checks that did not pass
        self.selects = False  # whether somebody who is asked looks at selectors
        if settings is not None:
            self.configure(settings, webhooks)

    def configure(self, settings: AuthorizationSettings, webhooks: Sequence[WebhookAuthorizer]) -> None:
        """From now on these are asked."""
        other = settings.modes != DEFAULT
        self.modes = Modes(settings, self.node.decide, self.rbac.may, webhooks, self.metrics) if other else None
        self.selects = bool(webhooks)

    @property
    def index(self) -> RbacIndex:
        """Who has which rules."""
        return self.rbac.index

    def follow(self, cachers: Callable[[str, str], Cacher]) -> None:
        """Read what is stored, and keep up with it."""
        self.rbac.follow(cachers)
        self.node.follow(cachers)

    def may(self, user: User, asked: Attributes) -> bool:
        """Whether the user may do it. Raises MustWait, where a webhook has to be asked first."""
        if user.is_master:
            return True
        if self.modes is not None:
            return self.modes.decide(user, asked).allowed
        if user.node and self.node.decide(user, asked):
            return True
        return self.rbac.may(user, asked)

    def explain(self, user: User, asked: Attributes) -> str:
        """Why the user may, for the audit log: the binding, if RBAC says so."""
        return "" if user.is_master else self.index.explain(user, asked)

    def opinion(self, user: User, asked: Attributes) -> Opinion:
        """What a SubjectAccessReview says. Raises MustWait."""
        if self.modes is not None and not user.is_master:
            return self.modes.decide(user, asked)
        if self.may(user, asked):
            return Opinion(allowed=True, reason=self.explain(user, asked))
        return Opinion(reason=self._why_not(user, asked))

    def check(self, user: User, asked: Attributes) -> None:
        """Raises StatusError (403, upstream's wording) if the user may not; 500 if that could not be found out."""
        if self.may(user, asked):
            return
        self.refused += 1
        if self.modes is not None:
            opinion = self.modes.decide(user, asked)
            if opinion.error:
                raise status_error(500, "InternalError", f"Internal Server Error: {opinion.error}")
            raise forbidden(user, asked, opinion.reason)
        raise forbidden(user, asked, self._why_not(user, asked))

    def _why_not(self, user: User, asked: Attributes) -> str:
        """What the Node authorizer says of a refusal, and which roles RBAC looked for in vain."""
        answer = self.node.decide(user, asked)
        reasons = [answer.reason] if isinstance(answer, Denied) else []
        unresolved = self.unresolved(user, asked.namespace)
        if unresolved:
            reasons.append(f"RBAC: {unresolved}")
        return "\n".join(reasons)

    def unresolved(self, user: User, namespace: str) -> str:
        """Which roles RBAC looks for in vain, each once; in brackets if there are several, as Go shows errors."""
        gone = {not_found(rbac.GROUP, kind.lower(), name).message: None
                for kind, _, name in self.index.missing(user, namespace)}  # fmt: skip
        return f"[{', '.join(gone)}]" if len(gone) > 1 else "".join(gone)
