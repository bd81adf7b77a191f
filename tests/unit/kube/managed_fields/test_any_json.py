"""Whatever JSON a client sends: an apply merges it or says what is wrong, and tracking never fails."""

import contextlib
import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.kube import managed_fields, schema
from kybern.kube.managed_fields import Kind, Lens, ManagedFieldsError, Types, built_in, check, read
from kybern.kube.status import StatusError

NOW = "2026-01-01T00:00:00Z"
NAMES = st.sampled_from(
    ["spec", "template", "containers", "name", "ports", "containerPort", "labels", "set", "list", "x"]
)
SCALARS = st.booleans() | st.integers(-3, 99) | st.floats(allow_nan=False) | st.text(max_size=3)
NO_NULLS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))
JSON = st.recursive(
    SCALARS | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4)
)
SET = {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}
MAP = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"set": SET}}
CUSTOM = Types(schema.load().definitions).root({"type": "object", "properties": {"spec": MAP}})
POD = built_in().named("io.k8s.api.core.v1.Pod")
KINDS = [Kind(of, "v1", {}, lambda _, of=of: Lens(of)) for of in (POD, CUSTOM, built_in().deduced)]


def whole(spec: Any, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", **more}, "spec": spec}


@given(st.sampled_from(KINDS), st.lists(NO_NULLS, min_size=1, max_size=4))
@settings(deadline=None)
def test_any_configuration(kind: Kind, specs: list[Any]) -> None:
    live = None
    for number, spec in enumerate(specs):
        config = whole(spec)
        was, said = copy.deepcopy(live), copy.deepcopy(config)
        try:
            made = managed_fields.apply(kind, live, config, f"m{number % 2}", NOW, force=True)
        except StatusError:
            continue
        assert (live, config) == (was, said)
        assert check(kind.type, config) == ""
        read(made["metadata"].get("managedFields"))
        if made["metadata"].get("managedFields"):  # an object that nobody owns anything of counts as not tracked
            assert managed_fields.apply(kind, made, config, f"m{number % 2}", NOW) == made
        live = made


@given(st.sampled_from(KINDS), JSON, JSON)
@settings(deadline=None)
def test_nulls(kind: Kind, first: Any, second: Any) -> None:
    with contextlib.suppress(StatusError):
        live = managed_fields.apply(kind, None, whole(first), "one", NOW)
        made = managed_fields.apply(kind, live, whole(second), "two", NOW)
        read(made["metadata"].get("managedFields"))


@given(st.sampled_from(KINDS), JSON, JSON, JSON)
@settings(deadline=None)
def test_any_update(kind: Kind, first: Any, second: Any, given_fields: Any) -> None:
    old = whole(first)
    managed_fields.track_update(kind, None, old, "one", "", NOW)
    new = whole(second, uid="u", managedFields=given_fields)
    managed_fields.track_update(kind, old, new, "two", "", NOW)
    with contextlib.suppress(ManagedFieldsError):
        read(new["metadata"].get("managedFields"))
