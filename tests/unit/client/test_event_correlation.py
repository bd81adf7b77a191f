"""Counting, combining and silencing of Events."""

from kybern.client.event_correlation import COMBINED, SPAM_BURST, Correlator, Happening


def happening(message: str = "Created pod: a", name: str = "rs", version: str = "1") -> Happening:
    return Happening("default", ("apps/v1", "ReplicaSet", "default", name, "u", version, ""), "Normal", "Made", message)


def test_the_same_again_is_counted_whatever_the_objects_version() -> None:
    correlator = Correlator()
    records = [correlator.observe(happening(version=str(n)), float(n)) for n in range(3)]
    assert [record.count for record in records if record] == [1, 2, 3]
    assert len({record.key for record in records if record}) == 1


def test_different_messages_are_different_events_until_there_are_ten() -> None:
    correlator = Correlator()
    records = [correlator.observe(happening(f"Created pod: {n}"), 0.0) for n in range(12)]
    assert [record.count for record in records if record] == [1] * 10 + [2, 3]
    assert [record.message.startswith(COMBINED) for record in records if record] == [False] * 9 + [True] * 3


def test_similar_events_are_apart_again_after_ten_quiet_minutes() -> None:
    correlator = Correlator()
    for n in range(11):
        correlator.observe(happening(f"Created pod: {n}"), 0.0)
    record = correlator.observe(happening("Created pod: x"), 601.0)
    assert record is not None
    assert record.message == "Created pod: x"


def test_a_noisy_object_is_silenced_and_others_are_not() -> None:
    correlator = Correlator()
    written = [correlator.observe(happening(), 0.0) for _ in range(SPAM_BURST + 5)]
    assert sum(record is not None for record in written) == SPAM_BURST
    assert correlator.observe(happening(name="quiet"), 0.0) is not None
    assert correlator.observe(happening(), 301.0) is not None


def test_a_forgotten_event_starts_again() -> None:
    correlator = Correlator()
    first = correlator.observe(happening(), 0.0)
    assert first is not None
    correlator.forget(first.key)
    again = correlator.observe(happening(), 1.0)
    assert again is not None
    assert again.count == 1
