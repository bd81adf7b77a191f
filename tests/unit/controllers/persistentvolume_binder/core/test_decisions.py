"""What becomes of claims and volumes."""

from typing import Any

import pytest

from kybern.controllers.persistentvolume_binder.core.claim import (
    BIND_COMPLETED,
    World,
    bound_claim,
    bound_status,
    decide_claim,
    newest_default,
)
from kybern.controllers.persistentvolume_binder.core.volume import (
    BOUND_BY_CONTROLLER,
    PROVISIONED_BY,
    VolumeDecision,
    bound_volume,
    decide_volume,
    phase_status,
    unbound_volume,
)


def claim(annotations: Any = None, **spec: Any) -> Any:
    metadata = {"name": "c", "namespace": "n", "uid": "u", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"accessModes": ["ReadWriteOnce"], **spec}}


def volume(annotations: Any = None, phase: str = "Available", **spec: Any) -> Any:
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], **spec}
    metadata = {"name": "v", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase}}


DONE = {BIND_COMPLETED: "yes"}
LATE = {"provisioner": "p", "volumeBindingMode": "WaitForFirstConsumer"}
SOON = {"provisioner": "p", "volumeBindingMode": "Immediate"}
MINE = {"namespace": "n", "name": "c", "uid": "u"}
OTHER = {**MINE, "uid": "other"}


@pytest.mark.parametrize(
    ("wanted", "world", "bind", "phase", "reason"),
    [
        (claim(), World(None, [volume()], None), True, "", ""),
        (claim(), World(None, [], None), False, "Pending", "FailedBinding"),
        (claim(storageClassName="x"), World(None, [], None), False, "Pending", "ProvisioningFailed"),
        (claim(storageClassName="x"), World(None, [], SOON), False, "Pending", "ExternalProvisioning"),
        (
            claim(storageClassName="x"),
            World(None, [volume(storageClassName="x")], LATE), False, "Pending", "WaitForFirstConsumer",
        ),
        (claim(storageClassName="x"), World(None, [], LATE, ("a", "b")), False, "Pending", "WaitForPodScheduled"),
        (
            claim({"volume.kubernetes.io/selected-node": "n0"}, storageClassName="x"),
            World(None, [], LATE), False, "Pending", "ExternalProvisioning",
        ),
        (claim(volumeName="v"), World(None, [], None), False, "Pending", ""),
        (claim(volumeName="v"), World(volume(), [], None), True, "", ""),
        (claim(volumeName="v"), World(volume(volumeMode="Block"), [], None), False, "Pending", "VolumeMismatch"),
        (claim(volumeName="v"), World(volume(claimRef=OTHER), [], None), False, "Pending", "FailedBinding"),
        (claim(DONE, volumeName="v"), World(volume(claimRef=MINE), [], None), True, "", ""),
        (claim(DONE, volumeName="v"), World(None, [], None), False, "Lost", "ClaimLost"),
        (claim(DONE), World(None, [], None), False, "Lost", "ClaimLost"),
        (claim(DONE, volumeName="v"), World(volume(claimRef=OTHER), [], None), False, "Lost", "ClaimMisbound"),
    ],
)  # fmt: skip
def test_decide_claim(wanted: Any, world: World, bind: bool, phase: str, reason: str) -> None:
    decided = decide_claim(wanted, world)
    assert (decided.bind is not None, decided.phase, decided.event.reason if decided.event else "") == (
        bind,
        phase,
        reason,
    )


@pytest.mark.parametrize(
    ("of", "found", "expected"),
    [
        (volume(), None, VolumeDecision("Available")),
        (volume(claimRef={"name": "c", "namespace": "n"}), None, VolumeDecision("Available")),
        (volume(claimRef=MINE), claim(volumeName="v"), VolumeDecision("Bound")),
        (volume(claimRef=MINE), claim(), VolumeDecision()),
        (volume(claimRef=MINE), None, VolumeDecision("Released")),
        (volume(claimRef=OTHER), claim(volumeName="v"), VolumeDecision("Released")),
        (volume(claimRef=MINE), claim(volumeName="w"), VolumeDecision(unbind=True)),
        (
            volume({PROVISIONED_BY: "p"}, claimRef=MINE, persistentVolumeReclaimPolicy="Delete"),
            claim(volumeName="w"),
            VolumeDecision("Released"),
        ),
        (
            volume(claimRef=MINE, persistentVolumeReclaimPolicy="Delete"),
            None,
            VolumeDecision(
                "Failed", 'error getting deleter volume plugin for volume "v": no deletable volume plugin matched'
            ),
        ),
        (volume(phase="Failed", claimRef=MINE, persistentVolumeReclaimPolicy="Delete"), None, VolumeDecision()),
    ],
)
def test_decide_volume(of: Any, found: Any, expected: VolumeDecision) -> None:
    assert decide_volume(of, found) == expected


def test_both_sides_name_each_other_once() -> None:
    named = bound_volume(volume(), claim())
    assert named is not None
    assert named["spec"]["claimRef"]["uid"] == "u"
    assert named["metadata"]["annotations"] == {BOUND_BY_CONTROLLER: "yes"}
    assert bound_volume(named, claim()) is None
    reserved = bound_volume(volume(claimRef={"namespace": "n", "name": "c"}), claim())
    assert reserved is not None
    assert reserved["metadata"]["annotations"] == {}
    chosen = bound_claim(claim(), named)
    assert chosen is not None
    assert chosen["spec"]["volumeName"] == "v"
    assert chosen["metadata"]["annotations"] == {BIND_COMPLETED: "yes", BOUND_BY_CONTROLLER: "yes"}
    assert bound_claim(chosen, named) is None


def test_a_claim_that_grew_keeps_the_size_it_was_told() -> None:
    status = bound_status(claim(), volume())
    assert status == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    grown = {**claim(), "status": {**status, "capacity": {"storage": "2Gi"}}}
    assert bound_status(grown, volume()) is None


def test_a_volume_let_go_keeps_what_its_owner_chose() -> None:
    ours = unbound_volume(volume({BOUND_BY_CONTROLLER: "yes"}, claimRef=MINE))
    assert "claimRef" not in ours["spec"]
    assert ours["metadata"]["annotations"] == {}
    theirs = unbound_volume(volume(claimRef=MINE))
    assert theirs["spec"]["claimRef"] == {"namespace": "n", "name": "c"}


def test_phase_status_tells_when() -> None:
    assert phase_status(volume(), "Available", "", "now") is None
    assert phase_status(volume(), "Bound", "", "now") == {"phase": "Bound", "lastPhaseTransitionTime": "now"}
    failed = phase_status(volume(), "Failed", "why", "now")
    assert failed == {"phase": "Failed", "message": "why", "lastPhaseTransitionTime": "now"}


def test_the_newest_default_class() -> None:
    mark = {"storageclass.kubernetes.io/is-default-class": "true"}
    classes = [
        {"metadata": {"name": "b", "annotations": mark, "creationTimestamp": "2026-01-02T00:00:00Z"}},
        {"metadata": {"name": "a", "annotations": mark, "creationTimestamp": "2026-01-02T00:00:00Z"}},
        {"metadata": {"name": "0", "annotations": mark, "creationTimestamp": "2026-01-01T00:00:00Z"}},
        {"metadata": {"name": "9", "creationTimestamp": "2026-01-03T00:00:00Z"}},
    ]
    assert newest_default(classes) == "a"
    assert newest_default(classes[3:]) == ""
