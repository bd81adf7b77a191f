"""Which Endpoints are mirrored, and into which slices."""

from typing import Any

import pytest

from kybern.controllers.endpointslice_mirroring.core import MAX_PER_SUBSET, compute_mirrors, is_mirrored


def endpoints(*subsets: Any, labels: Any = None, annotations: Any = None) -> dict[str, Any]:
    metadata = {"name": "db", "namespace": "n", "uid": "u", "labels": labels or {}, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [*subsets]}


def subset(*ips: str, port: int = 80) -> dict[str, Any]:
    return {"addresses": [{"ip": ip} for ip in ips], "ports": [{"port": port}]}


PLAIN: dict[str, Any] = {"spec": {}}


@pytest.mark.parametrize(
    ("found", "service", "expected"),
    [
        (endpoints(), PLAIN, True),
        (endpoints(), None, False),
        (None, PLAIN, False),
        (endpoints(), {"spec": {"selector": {"a": "b"}}}, False),
        (endpoints(labels={"endpointslice.kubernetes.io/skip-mirror": "true"}), PLAIN, False),
        (endpoints(annotations={"control-plane.alpha.kubernetes.io/leader": ""}), PLAIN, False),
    ],
)
def test_is_mirrored(found: Any, service: Any, expected: bool) -> None:
    assert is_mirrored(found, service) is expected


def test_one_slice_for_each_family_and_set_of_ports() -> None:
    found = endpoints(subset("10.0.0.1", "fd00::1"), subset("10.0.0.2", port=81), subset("10.0.0.3", "10.0.0.1"))
    changes = compute_mirrors(found, [])
    made = [(s["addressType"], s["ports"][0]["port"], len(s["endpoints"])) for s in changes.create]
    assert sorted(made) == [("IPv4", 80, 2), ("IPv4", 81, 1), ("IPv6", 80, 1)]
    known = [{**s, "metadata": {**s["metadata"], "name": f"s{i}"}} for i, s in enumerate(changes.create)]
    again = compute_mirrors(found, known)
    assert (again.create, again.update, again.delete) == ((), (), ())


def test_slices_are_used_again_before_others_are_made() -> None:
    (old,) = compute_mirrors(endpoints(subset("10.0.0.1")), []).create
    old["metadata"]["name"] = "old"
    changes = compute_mirrors(endpoints(subset("10.0.0.1", port=90)), [old])
    assert [s["metadata"]["name"] for s in changes.update] == ["old"]
    assert changes.update[0]["ports"][0]["port"] == 90
    assert not changes.create
    assert not changes.delete
    gone = compute_mirrors(endpoints(), [old])
    assert [s["metadata"]["name"] for s in gone.delete] == ["old"]


def test_what_is_left_out() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "x"}
    many = [f"10.0.{n // 250}.{n % 250}" for n in range(MAX_PER_SUBSET + 5)]
    (made,) = compute_mirrors(endpoints(subset(*many, "nonsense"), annotations=annotations), []).create
    assert made["metadata"]["annotations"] == {"mine": "x"}
    assert len(made["endpoints"]) == MAX_PER_SUBSET
