"""Webhook authorization: whether somebody may do something is asked of somebody else, by SubjectAccessReview.

Answers are remembered; a question without one yet makes its call wait. A webhook that fails has no opinion.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from kybern.apiserver.authorization.metrics import AuthorizationMetrics
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
CALL_SECONDS = 30.0
Extra = tuple[tuple[str, tuple[str, ...]], ...]
Key = tuple[User, Extra, Attributes]


@dataclass(frozen=True)
class AccessSettings:
    """What the flags --authorization-webhook-…, or an AuthorizationConfiguration, say of a webhook."""

    remote: Remote
    version: str = "v1beta1"
    authorized_ttl: float = 300.0
    unauthorized_ttl: float = 30.0
    tries: tuple[float, ...] = TRIES
    seconds: float = CALL_SECONDS
    denies: bool = False  # a webhook that fails has no opinion unless it denies
    conditions: "MatchConditions | None" = None
    name: str = "default"


@dataclass(frozen=True)
class Opinion:
    """Allowed, denied for good, or neither; `error` says why there is no better one."""

    allowed: bool = False
    denied: bool = False
    reason: str = ""
    error: str = ""


NO_OPINION = Opinion()
NAMED = ("namespace", "verb", "group", "version", "resource", "subresource", "name")


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
        failed: list[str] = []
        for expression, program in zip(self.expressions, self._programs, strict=True):
            try:
                if program.evaluate({"request": spec}) is not True:
                    return False
            except ValueError as error:
                failed.append(f"cel evaluation error: expression '{expression}' resulted in error: {error}")
        if failed:
            raise ValueError(failed[0] if len(failed) == 1 else f"[{', '.join(failed)}]")
        return True


class WebhookAuthorizer:
    """See the module's docstring."""

    def __init__(
        self, settings: AccessSettings, client: WebhookClient, log: logging.Logger, metrics: AuthorizationMetrics
    ) -> None:
        self._settings, self._client, self._log, self._metrics = settings, client, log, metrics
        self._answers = AskedOnce(self._answer, REMEMBERED)

    def decide(self, user: User, asked: Attributes) -> Opinion:
        """Raises MustWait."""
        if self._settings.conditions is not None:
            opinion = self._excluded(self._settings.conditions, judged(user, asked))
            if opinion is not None:
                return opinion
        return self._answers.answer((user, tuple(sorted(user.extra.items())), asked))

    def _excluded(self, conditions: MatchConditions, spec: Object) -> Opinion | None:
        """What is said without asking, because of match conditions."""
        time, name = asyncio.get_running_loop().time, self._settings.name
        started = time()
        try:
            matches = conditions.match(spec)
        except ValueError as error:
            self._metrics.judged(name, time() - started, failed=True)
            return Opinion(denied=self._settings.denies, error=str(error))
        self._metrics.judged(name, time() - started, excluded=not matches)
        return None if matches else NO_OPINION

    async def _answer(self, key: Key) -> tuple[Opinion, float]:
        time, settings, result = asyncio.get_running_loop().time, self._settings, "success"
        started = time()
        try:
            opinion = await self._ask(key)
            ttl = settings.authorized_ttl if opinion.allowed else settings.unauthorized_ttl
        except CallFailed as error:
            self._log.error("Failed to make webhook authorizer request: %s", error)
            result = "timeout" if error.timeout else "error"
            opinion, ttl = Opinion(denied=settings.denies, error=str(error)), 0.0
        failed_open = result != "success" and not settings.denies
        self._metrics.called(settings.name, result, time() - started, failed_open=failed_open)
        return opinion, ttl

    async def _ask(self, key: Key) -> Opinion:
        settings, (user, _, asked) = self._settings, key
        review = review_of(user, asked, settings.version)
        status = await ask(self._client, settings.remote, review, settings.seconds, settings.tries)
        allowed, denied, reason = status.get("allowed"), status.get("denied"), status.get("reason") or ""
        both = "webhook subject access review returned both allow and deny response" if allowed and denied else ""
        return Opinion(bool(allowed and not denied), bool(denied), reason, both)


def review_of(user: User, asked: Attributes, version: str) -> Object:
    """The SubjectAccessReview."""
    spec: Object = {"user": user.name}
    if asked.is_resource_request:
        named = {
            "namespace": asked.namespace, "verb": asked.verb, "group": asked.group, "resource": asked.resource,
            "version": asked.version, "subresource": asked.subresource, "name": asked.name,
        }  # fmt: skip
        resource: Object = {name: value for name, value in named.items() if value}
        if asked.fields:
            resource["fieldSelector"] = selected.shown(asked.fields)
        if asked.labels:
            resource["labelSelector"] = selected.shown(asked.labels)
        spec["resourceAttributes"] = resource
    else:
        named = {"path": asked.path, "verb": asked.verb}
        spec["nonResourceAttributes"] = {name: value for name, value in named.items() if value}
    if user.groups:
        spec["group" if version == "v1beta1" else "groups"] = list(user.groups)
    if user.extra:
        spec["extra"] = {name: list(values) for name, values in user.extra.items()}
    if user.uid:
        spec["uid"] = user.uid
    frame = {"kind": "SubjectAccessReview", "apiVersion": f"{GROUP}/{version}"}
    return {**frame, "metadata": {}, "spec": spec, "status": {"allowed": False}}


def judged(user: User, asked: Attributes) -> Object:
    """The spec as match conditions see it: every text is there, if only empty."""
    spec: Object = {"user": user.name, "groups": list(user.groups), "uid": user.uid}
    spec["extra"] = {name: list(values) for name, values in user.extra.items()}
    if not asked.is_resource_request:
        return {**spec, "nonResourceAttributes": {"path": asked.path, "verb": asked.verb}}
    given = review_of(user, asked, "v1")["spec"]["resourceAttributes"]
    return {**spec, "resourceAttributes": {**dict.fromkeys(NAMED, ""), **given}}
