"""Admission policies, compiled once per change: each with its expressions and with the bindings that put it to work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from kybern.apiserver.admission.compiled import Compiled
from kybern.apiserver.admission.conditions import Conditions
from kybern.apiserver.storage.cacher import Cacher
from kybern.kube import selectors
from kybern.kube.cel import CompileError, Program
from kybern.kube.cel.policy import Composition, Scope
from kybern.kube.selectors import Selector

Object = dict[str, Any]
P = TypeVar("P", bound="Policy")


@dataclass(frozen=True, eq=False)
class Match:
    """matchConstraints of a policy, or matchResources of a binding."""

    rules: tuple[Object, ...]
    exclude: tuple[Object, ...]
    policy: str
    namespaces: Selector
    objects: Selector


@dataclass(frozen=True, eq=False)
class Binding:
    """A binding: where a policy counts, with which parameters, and what its verdict means."""

    name: str
    policy: str
    match: Match | None
    param_ref: Object | None
    actions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Policy:
    """What both kinds of policies have."""

    name: str
    match: Match
    fails_open: bool
    param_kind: Object | None
    conditions: Conditions
    variables: Mapping[str, Program]
    bindings: list[Binding] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Broken:
    """An expression that does not compile: it fails when it is needed."""

    error: str


def compiled(make: Callable[[], Program]) -> Program | Broken:
    """A program, or why there is none."""
    try:
        return make()
    except CompileError as error:
        return Broken(f"compilation error: compilation failed: {error}")


def compile_match(given: Object) -> Match:
    """Rules and selectors."""
    return Match(
        tuple(given.get("resourceRules") or ()),
        tuple(given.get("excludeResourceRules") or ()),
        given.get("matchPolicy") or "Equivalent",
        selectors.from_label_selector(given.get("namespaceSelector") or {}),
        selectors.from_label_selector(given.get("objectSelector") or {}),
    )


def compile_binding(binding: Object) -> Binding:
    """Either kind of binding."""
    spec = binding["spec"]
    resources = spec.get("matchResources")
    return Binding(
        binding["metadata"]["name"],
        spec.get("policyName") or "",
        compile_match(resources) if resources else None,
        spec.get("paramRef"),
        tuple(spec.get("validationActions") or ()),
    )


def frame(policy: Object, composition: Composition) -> dict[str, Any]:
    """The members of `Policy`; variables are compiled into the composition."""
    spec = policy["spec"]
    for variable in spec.get("variables") or ():
        try:
            composition.add(variable["name"], variable["expression"])
        except CompileError:
            continue  # it is missing when somebody asks for it
    alone = Composition(Scope(params=bool(spec.get("paramKind"))))
    return {
        "name": policy["metadata"]["name"],
        "match": compile_match(spec.get("matchConstraints") or {}),
        "fails_open": spec.get("failurePolicy") == "Ignore",
        "param_kind": spec.get("paramKind"),
        "conditions": Conditions(
            spec.get("matchConditions") or (), compiler=lambda text: alone.compile(text, variables=False)
        ),
        "variables": composition.programs,
    }


class Policies(Generic[P]):
    """All policies of a kind that are bound to something."""

    def __init__(self, policies: Cacher, bindings: Cacher, make: Callable[[Object], P]) -> None:
        self._policies = Compiled(policies, make)
        self._bindings = Compiled(bindings, compile_binding)
        self._seen = (-1, -1)
        self._bound: list[P] = []

    def bound(self) -> list[P]:
        """In the order of their names, each with its bindings in theirs."""
        now = (self._policies.version, self._bindings.version)
        if now != self._seen:
            self._seen = now
            by_policy: dict[str, list[Binding]] = {}
            for binding in self._bindings.all():
                by_policy.setdefault(binding.policy, []).append(binding)
            self._bound = []
            for policy in self._policies.all():
                policy.bindings[:] = by_policy.get(policy.name, [])
                if policy.bindings:
                    self._bound.append(policy)
        return self._bound
