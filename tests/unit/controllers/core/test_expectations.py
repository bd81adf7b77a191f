"""Expectations: satisfied when met, or too old; and writes that come back."""

from kybern.controllers.core.expectations import EXPIRE_SECONDS, Expectations
from kybern.controllers.core.written import Written


def test_creations_are_counted_down() -> None:
    expectations = Expectations()
    assert expectations.satisfied("a", 0.0)
    expectations.expect("a", 2, (), 0.0)
    expectations.creation_observed("a")
    assert not expectations.satisfied("a", 1.0)
    expectations.creation_observed("a")
    assert expectations.satisfied("a", 1.0)


def test_deletions_are_known_by_pod_and_counted_once() -> None:
    expectations = Expectations()
    expectations.expect("a", 0, ["p", "q"], 0.0)
    expectations.deletion_observed("a", "p")
    expectations.deletion_observed("a", "p")
    expectations.deletion_observed("a", "other")
    assert not expectations.satisfied("a", 1.0)
    expectations.deletion_observed("a", "q")
    assert expectations.satisfied("a", 1.0)


def test_old_expectations_are_given_up() -> None:
    expectations = Expectations()
    expectations.expect("a", 1, (), 0.0)
    assert not expectations.satisfied("a", EXPIRE_SECONDS)
    assert expectations.satisfied("a", EXPIRE_SECONDS + 1)


def thing(version: str, uid: str = "u") -> dict[str, dict[str, str]]:
    return {"metadata": {"namespace": "n", "name": "s", "uid": uid, "resourceVersion": version}}


def test_a_write_is_seen_in_its_version_or_a_newer_one() -> None:
    written = Written()
    written.wrote("svc", thing("7"), 0.0)
    assert not written.up_to_date("svc", lambda key: None, 1.0)
    assert not written.up_to_date("svc", lambda key: thing("6"), 1.0)
    assert written.up_to_date("svc", lambda key: thing("8"), 1.0)
    assert written.up_to_date("svc", lambda key: None, 1.0)


def test_a_deletion_is_seen_when_another_of_the_name_is_there() -> None:
    written = Written()
    written.deleted("svc", thing("7"), 0.0)
    assert not written.up_to_date("svc", lambda key: thing("7"), 1.0)
    assert written.up_to_date("svc", lambda key: thing("9", uid="new"), 1.0)


def test_a_write_that_never_shows_up_is_given_up() -> None:
    written = Written()
    written.wrote("svc", thing("7"), 0.0)
    assert written.up_to_date("svc", lambda key: None, 31.0)
