"""Events of what lies in no namespace: where they may be kept."""

import pytest

from kybern.kube.validation.event import validate_core_event

TIMED = {"eventTime": "2026-01-01T00:00:00.000000Z", "reportingComponent": "a", "reportingInstance": "b"}


@pytest.mark.parametrize(
    ("namespace", "timed", "refused"),
    [
        ("default", False, False),
        ("kube-system", False, True),
        ("other", False, True),
        ("default", True, False),
        ("kube-system", True, False),
        ("other", True, True),
    ],
)
def test_events_of_cluster_scoped_objects(namespace: str, timed: bool, refused: bool) -> None:
    event = {"metadata": {"name": "e", "namespace": namespace}, "involvedObject": {"kind": "Node", "name": "n"}}
    event |= {"action": "c", "reason": "d", **(TIMED if timed else {})}
    found = [problem.field for problem in validate_core_event(event)]
    assert found == (["involvedObject.namespace"] if refused else [])
