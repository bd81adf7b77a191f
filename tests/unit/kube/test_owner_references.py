"""Owner references that are given twice."""

from typing import Any

import pytest

from kybern.kube.owner_references import ADMITTED, drop_repeated


def owner(name: str, uid: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid, **more}


A, B, C, D = owner("p", "1"), owner("p", "2"), owner("q", "1"), owner("p", "1", controller=True)


@pytest.mark.parametrize(
    ("given", "kept", "uids"),
    [
        ([A], [A], ""),
        ([A, B, C, D], [A, B, C, D], ""),  # alike in every member, or not at all
        ([A, A], [A], "1"),
        ([A, B, A, B, A], [A, B], "1, 2, 1"),
        ([A, C, A, C], [A, C], "1, 1"),
    ],
)
def test_once_each(given: list[Any], kept: list[Any], uids: str) -> None:
    metadata = {"ownerReferences": list(given)}
    warning = drop_repeated(metadata)
    assert metadata["ownerReferences"] == kept
    assert warning.endswith(f"duplicate UID(s) observed: {uids}") if uids else not warning


def test_who_asks_for_it_is_told_when() -> None:
    assert drop_repeated({"ownerReferences": [A, A]}).startswith(
        ".metadata.ownerReferences contains duplicate entries;"
    )
    assert "entries after mutating admission happens;" in drop_repeated({"ownerReferences": [A, A]}, ADMITTED)
    assert drop_repeated({}) == ""
