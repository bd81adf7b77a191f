"""How soon a failed daemon pod is replaced."""

from datetime import UTC, datetime, timedelta

from kybern.controllers.daemonset.core.failures import FailedPods
from kybern.controllers.daemonset.core.placement import Changes
from kybern.kube.meta import Object

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pod(uid: str, node: str = "n") -> Object:
    return {"metadata": {"uid": uid, "name": uid}, "spec": {"nodeName": node}, "status": {"phase": "Failed"}}


def failed(*pods: Object) -> Changes:
    return Changes(delete=pods, failed=pods)


def test_the_first_goes_at_once_then_pauses_double() -> None:
    failures, now, pauses = FailedPods(), NOW, []
    for number in range(12):
        changes, pause = failures.hold_back("d/s", 1, failed(pod(f"p{number}")), now)
        if pause is not None:
            assert changes == Changes()
            now += timedelta(seconds=pause)
            changes, _ = failures.hold_back("d/s", 1, failed(pod(f"p{number}")), now)
        assert len(changes.delete) == len(changes.failed) == 1
        pauses.append(pause)
    assert pauses == [None, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900]


def test_each_node_and_each_template_waits_for_itself() -> None:
    failures = FailedPods()
    failures.hold_back("d/s", 1, failed(pod("a")), NOW)
    ended = {"metadata": {"uid": "done"}, "spec": {"nodeName": "n"}, "status": {"phase": "Succeeded"}}
    again = Changes(delete=(pod("b"), pod("c", "other"), ended), failed=(pod("b"), pod("c", "other")))
    changes, pause = failures.hold_back("d/s", 1, again, NOW)
    assert ([one["metadata"]["uid"] for one in changes.delete], pause) == (["c", "done"], 1.0)
    assert failures.hold_back("d/s", 2, failed(pod("b")), NOW) == (failed(pod("b")), None)


def test_long_quiet_and_a_set_that_is_gone_are_forgotten() -> None:
    failures = FailedPods()
    failures.hold_back("d/s", 1, failed(pod("a")), NOW)
    failures.hold_back("d/s", 1, failed(pod("b")), NOW + timedelta(seconds=1))
    later = NOW + timedelta(hours=1)
    assert failures.hold_back("d/s", 1, failed(pod("c")), later) == (failed(pod("c")), None)
    failures.forget("d/s")
    assert failures.hold_back("d/s", 1, failed(pod("d")), later) == (failed(pod("d")), None)
