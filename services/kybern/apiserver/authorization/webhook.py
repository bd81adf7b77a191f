"""Webhook authorization: whether somebody may do something is asked of somebody else, by SubjectAccessReview.

Answers are remembered; a question without one yet makes its call wait. A webhook that fails has no opinion.
"""

import logging
from dataclasses import dataclass
from typing import Any

from kybern.apiserver.core.user import User
from kybern.apiserver.webhooks.asked_once import AskedOnce
from kybern.apiserver.webhooks.client import CallFailed, WebhookClient
from kybern.apiserver.webhooks.kubeconfig import Remote
from kybern.apiserver.webhooks.review import TRIES, ask
from kybern.kube import selected
from kybern.kube.rbac import Attributes

Object = dict[str, Any]
GROUP = "authorization.k8s.io"
REMEMBERED = 8192
FAILED_SECONDS = 1.0
CALL_SECONDS = 30.0
Extra = tuple[tuple[str, tuple[str, ...]], ...]
Key = tuple[User, Extra, Attributes]


@dataclass(frozen=True)
class AccessSettings:
    """What the flags --authorization-webhook-… say."""

    remote: Remote
    version: str = "v1beta1"
    authorized_ttl: float = 300.0
    unauthorized_ttl: float = 30.0
    tries: tuple[float, ...] = TRIES
    seconds: float = CALL_SECONDS
    denies: bool = False  # a webhook that fails has no opinion unless it denies
    conditions: "MatchConditions | None" = None


@dataclass(frozen=True)
class Opinion:
    """Allowed, denied for good, or neither; `error` says why there is no better one."""

    allowed: bool = False
    denied: bool = False
    reason: str = ""
    error: str = ""


NO_OPINION = Opinion()


class MatchConditions:
    """Expressions over the `request` of a SubjectAccessReview that must all be true for a webhook to be asked."""

    def __init__(self, expressions: tuple[str, ...]) -> None:
        """Raises CompileError."""
        from kybern.kube.cel import compile_expression  # CEL is a large library: loaded when first needed

        self.expressions = expressions
        self._programs = [compile_expression(expression, ("request",)) for expression in expressions]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MatchConditions) and self.expressions == other.expressions

    def __hash__(self) -> int:
        return hash(self.expressions)

    def match(self, spec: Object) -> bool:
        """Raises ValueError for a condition without a value, unless another is false."""
        failed: ValueError | None = None
        for program in self._programs:
            try:
                if program.evaluate({"request": spec}) is not True:
                    return False
            except ValueError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return True


class WebhookAuthorizer:
    """See the module's docstring."""

    def __init__(self, settings: AccessSettings, client: WebhookClient, log: logging.Logger) -> None:
        self._settings, self._client, self._log = settings, client, log
        self._answers = AskedOnce(self._answer, REMEMBERED)

    def decide(self, user: User, asked: Attributes) -> Opinion:
        """Raises MustWait."""
        if self._settings.conditions is not None:
            try:
                if not self._settings.conditions.match(review_of(user, asked, "v1")["spec"]):
                    return NO_OPINION
            except ValueError as error:
                return Opinion(denied=self._settings.denies, error=str(error))
        return self._answers.answer((user, tuple(sorted(user.extra.items())), asked))

    async def _answer(self, key: Key) -> tuple[Opinion, float]:
        try:
            opinion = await self._ask(key)
            ttl = self._settings.authorized_ttl if opinion.allowed else self._settings.unauthorized_ttl
        except CallFailed as error:
            self._log.error("Failed to make webhook authorizer request: %s", error)
            opinion, ttl = Opinion(denied=self._settings.denies, error=str(error)), 0.0
        return opinion, max(ttl, FAILED_SECONDS)

    async def _ask(self, key: Key) -> Opinion:
        settings, (user, _, asked) = self._settings, key
        review = review_of(user, asked, settings.version)
        status = await ask(self._client, settings.remote, review, settings.seconds, settings.tries)
        allowed, denied, reason = status.get("allowed"), status.get("denied"), str(status.get("reason") or "")
        both = "webhook subject access review returned both allow and deny response" if allowed and denied else ""
        return Opinion(bool(allowed and not denied), bool(denied), reason, both)


def review_of(user: User, asked: Attributes, version: str) -> Object:
    """The SubjectAccessReview."""
    spec: Object = {"user": user.name}
    if asked.is_resource_request:
        named = {
            "namespace": asked.namespace, "verb": asked.verb, "group": asked.group, "resource": asked.resource,
            "subresource": asked.subresource, "name": asked.name,
        }  # fmt: skip
        resource: Object = {name: value for name, value in named.items() if value}
        if asked.fields:
            resource["fieldSelector"] = selected.shown(asked.fields)
        if asked.labels:
            resource["labelSelector"] = selected.shown(asked.labels)
        spec["resourceAttributes"] = resource
    else:
        spec["nonResourceAttributes"] = {"path": asked.path, "verb": asked.verb}
    if user.groups:
        spec["group" if version == "v1beta1" else "groups"] = list(user.groups)
    if user.extra:
        spec["extra"] = {name: list(values) for name, values in user.extra.items()}
    if user.uid:
        spec["uid"] = user.uid
    frame = {"kind": "SubjectAccessReview", "apiVersion": f"{GROUP}/{version}"}
    return {**frame, "metadata": {"creationTimestamp": None}, "spec": spec, "status": {"allowed": False}}
