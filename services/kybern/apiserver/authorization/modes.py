"""--authorization-mode: the authorizers in the order in which they are asked; a yes or a denial ends the questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kybern.apiserver.authorization.abac import AbacAuthorizer, Policy
from kybern.apiserver.authorization.metrics import AuthorizationMetrics
from kybern.apiserver.authorization.refusal import Denied
from kybern.apiserver.authorization.webhook import NO_OPINION, AccessSettings, Opinion, WebhookAuthorizer
from kybern.apiserver.core.user import User
from kybern.kube.rbac import Attributes

MODES = ("AlwaysAllow", "AlwaysDeny", "ABAC", "Webhook", "RBAC", "Node")
DEFAULT = ("Node", "RBAC")
YES = Opinion(allowed=True)
Ask = Callable[[User, Attributes], Opinion]
May = Callable[[User, Attributes], bool]


@dataclass(frozen=True)
class AuthorizationSettings:
    """What flags say of authorization."""

    modes: tuple[str, ...] = DEFAULT
    policies: tuple[Policy, ...] = ()
    webhooks: tuple[AccessSettings, ...] = ()  # one for each mode Webhook
    file: Path | None = None  # the AuthorizationConfiguration, to be followed


class Modes:
    """Asks one after the other. `node` answers for node agents alone."""

    def __init__(
        self,
        settings: AuthorizationSettings,
        node: Callable[[User, Attributes], bool | Denied],
        rbac: May,
        webhooks: Sequence[WebhookAuthorizer],
        metrics: AuthorizationMetrics,
    ) -> None:
        known: dict[str, Ask] = {
            "AlwaysAllow": lambda user, asked: YES,
            "AlwaysDeny": lambda user, asked: Opinion(reason="Everything is forbidden."),
            "ABAC": _of(AbacAuthorizer(settings.policies).may),
            "RBAC": _of(rbac),
            "Node": lambda user, asked: _node(node(user, asked)),
        }
        asked, names = iter(webhooks), iter(one.name for one in settings.webhooks)
        self._metrics = metrics
        self._ordered: list[tuple[str, str, Ask]] = [
            (mode, next(names), next(asked).decide) if mode == "Webhook" else (mode, mode.lower(), known[mode])
            for mode in settings.modes
        ]

    def decide(self, user: User, asked: Attributes) -> Opinion:
        """The first yes or denial, else every reason and error. Raises MustWait."""
        reasons, errors = [], []
        for mode, name, ask in self._ordered:
            opinion = ask(user, asked)
            if opinion.allowed or opinion.denied:
                self._metrics.decided(mode, name, allowed=opinion.allowed)
            if opinion.allowed:
                return opinion
            if opinion.reason:
                reasons.append(opinion.reason)
            if opinion.error:
                errors.append(opinion.error)
            if opinion.denied:
                break
        else:
            return Opinion(reason="\n".join(reasons), error=_all(errors))
        return Opinion(denied=True, reason="\n".join(reasons), error=_all(errors))


def _all(errors: list[str]) -> str:
    """Several errors as Kubernetes prints them."""
    return errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]" if errors else ""


def _of(may: May) -> Ask:
    return lambda user, asked: YES if may(user, asked) else NO_OPINION


def _node(answer: bool | Denied) -> Opinion:
    if answer is True:
        return YES
    return Opinion(reason=answer.reason) if isinstance(answer, Denied) else NO_OPINION
