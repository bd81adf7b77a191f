"""The validations of a ValidatingAdmissionPolicy: compiled, and evaluated with one parameter."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kybern.apiserver.admission.policy_compiled import Broken, Policy, compiled, frame
from kybern.apiserver.admission.policy_dispatch import Invocation
from kybern.kube.cel import Budget, CostExceeded, EvaluationError, Program
from kybern.kube.cel.policy import Composition, Scope, Variables
from kybern.kube.cel.values import type_name

Object = dict[str, Any]
LONGEST_MESSAGE = 5 << 10
LONGEST_ANNOTATION = 10 << 10
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


@dataclass(frozen=True, eq=False)
class Validation:
    """One expression, and what to say when it is false."""

    expression: str
    program: Program | Broken
    message: str
    message_program: Program | Broken | None
    reason: str


@dataclass(frozen=True, eq=False)
class Annotation:
    """A value for the audit log."""

    key: str
    expression: str
    program: Program | Broken


@dataclass(frozen=True, eq=False)
class Validating(Policy):
    """A ValidatingAdmissionPolicy."""

    validations: tuple[Validation, ...] = ()
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """A no. `failed`: an expression has no value, and the policy fails closed. `denies`: whatever the binding says."""

    message: str
    reason: str = ""
    index: int = 0
    failed: bool = False
    denies: bool = False


@dataclass(frozen=True)
class Judged:
    """What a policy says of a write; `ignored`: how many of its expressions have no value, which it does not mind."""

    verdicts: tuple[Verdict, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    ignored: int = 0


def compile_policy(policy: Object) -> Validating:
    """An expression that does not compile fails when it is needed."""
    spec = policy["spec"]
    composition = Composition(Scope(params=bool(spec.get("paramKind"))))
    members = frame(policy, composition)
    return Validating(
        **members,
        validations=tuple(_validation(one, composition) for one in spec.get("validations") or ()),
        annotations=tuple(_annotation(one, composition) for one in spec.get("auditAnnotations") or ()),
    )


def _validation(one: Object, composition: Composition) -> Validation:
    expression, text = one["expression"], one.get("messageExpression") or ""
    return Validation(
        expression,
        compiled(lambda: composition.compile(expression)),
        (one.get("message") or "").strip(),
        compiled(lambda: composition.compile(text, authorizer=False)) if text.strip() else None,
        one.get("reason") or "",
    )


def _annotation(one: Object, composition: Composition) -> Annotation:
    expression = one["valueExpression"].strip()
    return Annotation(one["key"], expression, compiled(lambda: composition.compile(expression)))


def evaluate(invocation: Invocation, values: Mapping[str, Any]) -> Judged:
    """Every verdict and annotation; none if a match condition says so."""
    policy: Validating = invocation.policy
    if policy.conditions:
        decision = policy.conditions.decide(values)
        if not decision.matched:
            if not decision.failed or policy.fails_open:
                return Judged()
            return Judged((Verdict(decision.error, failed=True),))
    budget = Budget()
    values = {**values, "variables": Variables(policy.variables, values, budget)}
    verdicts: list[Verdict] = []
    ignored = 0
    for index, one in enumerate(policy.validations):
        try:
            if isinstance(one.program, Broken):
                raise EvaluationError(one.program.error)
            if one.program.evaluate(values, budget) is True:
                continue
            verdicts.append(Verdict(_message(one, values, budget), one.reason, index))
        except CostExceeded as error:
            if budget.left > 0:  # one that is too dear for itself alone
                ignored += policy.fails_open
                if not policy.fails_open:
                    verdicts.append(_failed(one, index, error))
                continue
            ignored += policy.fails_open
            if not policy.fails_open:
                verdicts.append(Verdict(OUT_OF_BUDGET, index=index, failed=True))
            break
        except EvaluationError as error:
            ignored += policy.fails_open
            if not policy.fails_open:
                verdicts.append(_failed(one, index, error))
    found = list(_annotations(policy, values))
    verdicts += [one for one in found if isinstance(one, Verdict)]
    return Judged(tuple(verdicts), tuple(one for one in found if not isinstance(one, Verdict)), ignored)


def _failed(one: Validation, index: int, error: EvaluationError) -> Verdict:
    return Verdict(f"expression '{one.expression}' resulted in error: {error}", index=index, failed=True)


def _message(one: Validation, values: Mapping[str, Any], budget: Budget) -> str:
    if isinstance(one.message_program, Program):
        try:
            said = one.message_program.evaluate(values, budget)
        except EvaluationError:
            said = ""
        if isinstance(said, str) and said.strip() and "\n" not in said.strip() and len(said) <= LONGEST_MESSAGE:
            return said.strip()
    return one.message or f"failed expression: {one.expression.strip()}"


def _annotations(policy: Validating, values: Mapping[str, Any]) -> Iterator[tuple[str, str] | Verdict]:
    budget = Budget()
    for one in policy.annotations:
        try:
            if isinstance(one.program, Broken):
                raise EvaluationError(one.program.error)
            value = one.program.evaluate(values, budget)
        except EvaluationError as error:
            if not policy.fails_open:
                said = f"expression '{one.expression}' resulted in error: {error}"
                yield Verdict(said, failed=True, denies=True)
            continue
        if value is None:
            continue
        if not isinstance(value, str):
            if not policy.fails_open:
                kind = f"resulted in unsupported return type: {type_name(value)}"
                said = f"valueExpression '{one.expression}' {kind}. Return type must be either string or null."
                yield Verdict(said, failed=True, denies=True)
        elif value.strip():
            yield one.key, value.strip()[:LONGEST_ANNOTATION]
