"""With what claims go."""

from typing import Any

import pytest

from kybern.controllers.statefulset.core.claims import claim_keys, with_owner
from kybern.kube.meta import Object

TEMPLATE = {"metadata": {"name": "data"}, "spec": {}}


def stateful_set(deleted: str = "", scaled: str = "", **spec: Any) -> Object:
    policy = {name: value for name, value in (("whenDeleted", deleted), ("whenScaled", scaled)) if value}
    spec = {"replicas": 2, "volumeClaimTemplates": [TEMPLATE], "persistentVolumeClaimRetentionPolicy": policy, **spec}
    metadata = {"name": "db", "namespace": "d", "uid": "set"}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec}


def pod(ordinal: int) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"db-{ordinal}", "uid": f"pod-{ordinal}"}}


def owners(claim: Object | None) -> list[str]:
    return [ref["uid"] for ref in (claim or {"metadata": {}})["metadata"].get("ownerReferences") or ()]


@pytest.mark.parametrize(
    ("deleted", "scaled", "inside", "outside"),
    [
        ("", "", [], []),
        ("Retain", "Retain", [], []),
        ("Delete", "Retain", ["set"], ["set"]),
        ("Retain", "Delete", [], ["pod-2"]),
        ("Delete", "Delete", ["set"], ["pod-2"]),
    ],
)
def test_owner(deleted: str, scaled: str, inside: list[str], outside: list[str]) -> None:
    of, claim = stateful_set(deleted, scaled), {"metadata": {"name": "data-db-1"}}
    assert owners(with_owner(claim, of, pod(1), 1)) == inside
    assert owners(with_owner(claim, of, pod(2), 2)) == outside


def test_owners_follow_policy_and_size() -> None:
    claim: Object = {"metadata": {"name": "data-db-1"}}
    kept = with_owner(claim, stateful_set("Delete", "Delete"), pod(1), 1)
    assert kept is not None
    assert with_owner(kept, stateful_set("Delete", "Delete"), pod(1), 1) is None
    away = with_owner(kept, stateful_set("Delete", "Delete", replicas=1), pod(1), 1)
    assert owners(away) == ["pod-1"]
    again = {**pod(1), "metadata": {"name": "db-1", "uid": "another"}}
    assert away is not None
    assert owners(with_owner(away, stateful_set("Delete", "Delete", replicas=1), again, 1)) == ["another"]
    back = with_owner(away, stateful_set("Retain", "Retain"), pod(1), 1)
    assert (back is not None, owners(back)) == (True, [])


def test_what_belongs_to_others_is_left_alone() -> None:
    mine = {"kind": "Backup", "name": "b", "uid": "b", "controller": True}
    note = {"kind": "Note", "name": "n", "uid": "n"}
    of = stateful_set("Delete")
    assert with_owner({"metadata": {"ownerReferences": [mine]}}, of, pod(1), 1) is None
    assert owners(with_owner({"metadata": {"ownerReferences": [note]}}, of, pod(1), 1)) == ["n", "set"]


def test_claims_of_an_ordinal() -> None:
    assert claim_keys(stateful_set(), 3) == ["d/data-db-3"]
