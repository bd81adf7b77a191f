"""The graph against a dumb model, and verdicts row by row."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.controllers.garbage_collector.core import OwnerState, Verdict, decide
from kybern.controllers.garbage_collector.graph import Graph

SOLID, DANGLING, WAITING = OwnerState.SOLID, OwnerState.DANGLING, OwnerState.WAITING
UIDS = st.sampled_from("abcdef")


def obj(uid: str, *owners: str, block: bool = False, finalizers: tuple[str, ...] = (), deleting: bool = False) -> Any:
    refs = [{"apiVersion": "v1", "kind": "K", "name": o, "uid": o, "blockOwnerDeletion": block} for o in owners]
    metadata: dict[str, Any] = {"name": uid, "namespace": "n", "uid": uid, "ownerReferences": refs}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    if finalizers:
        metadata["finalizers"] = [*finalizers]
    return {"apiVersion": "v1", "kind": "K", "metadata": metadata}


@given(st.lists(st.one_of(st.tuples(UIDS, st.sets(UIDS)), UIDS), max_size=40))
def test_dependents_are_exactly_those_that_name_their_owner(steps: list[Any]) -> None:
    graph = Graph()
    model: dict[str, set[str]] = {}
    for step in steps:
        if isinstance(step, str):
            look = graph.remove(step)
            if step in model:
                del model[step]
                assert {uid for uid, owners in model.items() if step in owners} <= {*look.delete}
        else:
            uid, owners = step
            graph.observe(obj(uid, *sorted(owners)))
            model[uid] = owners
        for uid in "abcdef":
            named_by = {other for other, owners in model.items() if uid in owners}
            node = graph.nodes.get(uid)
            assert set(node.dependents if node else ()) == named_by
            assert (node is not None) == (uid in model or bool(named_by))
            if node is not None:
                assert node.virtual == (uid not in model)


def test_an_owner_never_seen_is_looked_up() -> None:
    graph = Graph()
    assert graph.observe(obj("child", "owner")).delete == ("owner",)
    assert graph.nodes["owner"].virtual
    assert graph.observe(obj("owner")).delete == ()
    assert not graph.nodes["owner"].virtual


def test_foreground_deletion_looks_at_dependents_and_waits_for_blocking_ones() -> None:
    graph = Graph()
    graph.observe(obj("owner"))
    graph.observe(obj("free", "owner"))
    graph.observe(obj("blocking", "owner", block=True))
    look = graph.observe(obj("owner", finalizers=("foregroundDeletion",), deleting=True))
    assert set(look.delete) == {"owner", "free", "blocking"}
    assert graph.blocking_dependents("owner") == ["blocking"]
    assert graph.remove("blocking").delete == ("owner",)
    assert graph.blocking_dependents("owner") == []


def test_unblocking_wakes_the_owner() -> None:
    graph = Graph()
    graph.observe(obj("owner", finalizers=("foregroundDeletion",), deleting=True))
    graph.observe(obj("child", "owner", block=True))
    assert graph.observe(obj("child", "owner", block=False)).delete == ("owner",)


def test_orphaning_is_asked_for_once() -> None:
    graph = Graph()
    orphaned = obj("owner", finalizers=("orphan",), deleting=True)
    assert graph.observe(orphaned).orphan == ("owner",)
    assert graph.observe(orphaned).orphan == ()


@pytest.mark.parametrize(
    ("case", "states", "dependents", "circular", "finalizers", "verdict"),
    [
        ("no owners", [], 0, False, (), Verdict()),
        ("all there", [SOLID, SOLID], 1, False, (), Verdict()),
        ("one there", [SOLID, DANGLING], 0, False, (), "keep first"),
        ("one there, one waiting", [SOLID, WAITING], 0, False, (), "keep first"),
        ("none there", [DANGLING, DANGLING], 3, False, (), Verdict(delete="Background")),
        ("waiting, with dependents", [WAITING], 2, False, (), Verdict(delete="Foreground")),
        ("waiting, in a circle", [WAITING], 2, True, (), Verdict(delete="Foreground", unblock=True)),
        ("waiting, without dependents", [WAITING, DANGLING], 0, False, (), Verdict(delete="Background")),
        ("marked to orphan", [DANGLING], 1, False, ("orphan",), Verdict(delete="Orphan")),
        ("marked foreground", [DANGLING], 1, False, ("foregroundDeletion",), Verdict(delete="Foreground")),
    ],
)
def test_verdicts(
    case: str, states: list[OwnerState], dependents: int, circular: bool, finalizers: tuple[str, ...], verdict: Any
) -> None:
    refs: list[dict[str, Any]] = [{"uid": str(n)} for n in range(len(states))]
    if verdict == "keep first":
        verdict = Verdict(references=(refs[0],))
    found = decide(obj("x", finalizers=finalizers), [*zip(refs, states, strict=True)], dependents, circular)
    assert found == verdict
