"""Who may take a lease, row by row."""

import pytest

from kybern.client.leader import Timing, decide_lease

NOW = "2026-01-01T00:01:00.000000Z"
HELD = {
    "holderIdentity": "other",
    "leaseDurationSeconds": 15,
    "acquireTime": "2026-01-01T00:00:00.000000Z",
    "renewTime": "2026-01-01T00:00:30.000000Z",
    "leaseTransitions": 3,
}


@pytest.mark.parametrize(
    ("case", "spec", "observed_at", "monotonic", "transitions"),
    [
        ("new lease", {}, 0.0, 100.0, 0),
        ("held by another, just seen", HELD, 99.0, 100.0, None),
        ("held by another, at its end", HELD, 85.0, 100.0, 4),
        ("held by another, one moment before its end", HELD, 85.1, 100.0, None),
        ("the holder's own duration counts", {**HELD, "leaseDurationSeconds": 60}, 50.0, 100.0, None),
        ("released", {**HELD, "holderIdentity": "", "leaseDurationSeconds": 1}, 99.9, 100.0, 4),
        ("mine", {**HELD, "holderIdentity": "me"}, 99.0, 100.0, 3),
        ("mine, long ago", {**HELD, "holderIdentity": "me"}, 0.0, 100.0, 3),
    ],
)
def test_decide_lease(
    case: str, spec: dict[str, object], observed_at: float, monotonic: float, transitions: int | None
) -> None:
    wanted = decide_lease(spec, "me", observed_at, monotonic, NOW, Timing())
    if transitions is None:
        assert wanted is None
        return
    assert wanted is not None
    assert wanted["holderIdentity"] == "me"
    assert wanted["renewTime"] == NOW
    assert wanted["leaseTransitions"] == transitions
    assert wanted["leaseDurationSeconds"] == 15
    assert wanted["acquireTime"] == (HELD["acquireTime"] if spec.get("holderIdentity") == "me" else NOW)
