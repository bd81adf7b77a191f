"""Names, durations, IntOrString, conditions, metadata readers."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from kybern.kube import conditions, duration, intstr, meta, names

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

AGES = {
    0: "0s",
    -1: "0s",
    -5: "<invalid>",
    119: "119s",
    120: "2m",
    200: "3m20s",
    600: "10m",
    10799: "179m",
    10800: "3h",
    7 * 3600 + 300: "7h5m",
    8 * 3600: "8h",
    47 * 3600: "47h",
    50 * 3600: "2d2h",
    8 * 86400: "8d",
    729 * 86400: "729d",
    731 * 86400: "2y1d",
    8 * 365 * 86400: "8y",
}


@pytest.mark.parametrize(("seconds", "wanted"), AGES.items())
def test_human_duration(seconds: int, wanted: str) -> None:
    assert duration.human(timedelta(seconds=seconds)) == wanted


@pytest.mark.parametrize("text", ["1h15m30.5s", "10s", "250ms", "0s", "1h0m0s", "-2m0s", "5µs"])
def test_go_duration_round_trip(text: str) -> None:
    assert duration.format_go(duration.parse_go(text)) == text


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "invalid"), ("5", "missing unit in"), ("s", "invalid"), ("1d", 'unknown unit "d" in'),
        ("1h2", "missing unit in"), ("9" * 20 + "h", "invalid"), ("9" * 400 + "s", "invalid"),
    ],
)  # fmt: skip
def test_not_a_go_duration(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=f'^time: {wrong} duration "{text}"$'):
        duration.parse_go(text)


@pytest.mark.parametrize(
    ("value", "up", "wanted"),
    [
        (3, True, 3),
        ("25%", True, 3),
        ("25%", False, 2),
        ("0%", True, 0),
        ("150%", True, 15),
        ("9" * 5000 + "%", True, 10**18 // 10),
    ],
)
def test_scaled_value(value: intstr.IntOrString, up: bool, wanted: int) -> None:
    assert intstr.scaled_value(value, 10, round_up=up) == wanted


@pytest.mark.parametrize("value", ["25", "%", "-5%", "5.5%"])
def test_not_int_or_percent(value: str) -> None:
    with pytest.raises(intstr.IntOrStringError):
        intstr.scaled_value(value, 10, round_up=True)


def test_generated_names() -> None:
    first = names.generate_name("web-", Random(1))
    assert first == names.generate_name("web-", Random(1))
    assert first.startswith("web-")
    assert set(first[4:]) <= set(names.ALPHABET)
    assert len(names.generate_name("x" * 80, Random(1))) == 63


def test_template_hash_ignores_key_order_and_heeds_collisions() -> None:
    one, other = {"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}
    assert names.pod_template_hash(one) == names.pod_template_hash(other)
    assert names.pod_template_hash(one) != names.pod_template_hash(one, 0) != names.pod_template_hash(one, 1)
    assert names.safe_encode("0123456789") == "456789bcdf"
    assert names.fnv32a(b"foobar") == 0xBF9CF968


def test_times() -> None:
    assert meta.format_time(NOW) == "2026-01-02T03:04:05Z"
    assert meta.format_micro_time(NOW) == "2026-01-02T03:04:05.678901Z"
    assert meta.parse_time("2026-01-02T03:04:05.678901234Z") == NOW
    assert meta.parse_time("2026-01-02T05:04:05+02:00") == NOW.replace(microsecond=0)
    assert meta.parse_time(None) is None
    with pytest.raises(ValueError, match="no time zone"):
        meta.parse_time("2026-01-02T03:04:05")


def test_owners_and_keys() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "rs", "uid": "u1"}}
    pod = {"metadata": {"name": "p", "namespace": "ns", "ownerReferences": [meta.owner_reference(owner)]}}
    assert meta.is_controlled_by(pod, owner)
    assert meta.key(pod) == "ns/p"
    assert meta.split_key("ns/p") == ("ns", "p")
    assert meta.split_key(meta.key(owner)) == ("", "rs")


def test_conditions_move_their_time_with_their_status_only() -> None:
    held: list[meta.Object] = []
    assert conditions.set_condition(held, "Ready", "False", now=NOW, reason="Starting")
    later = NOW + timedelta(minutes=1)
    assert not conditions.set_condition(held, "Ready", "False", now=later, reason="Starting")
    assert conditions.set_condition(held, "Ready", "False", now=later, reason="Waiting")
    assert held[0]["lastTransitionTime"] == meta.format_time(NOW)
    assert conditions.set_condition(held, "Ready", "True", now=later)
    assert held == [{"type": "Ready", "status": "True", "lastTransitionTime": meta.format_time(later)}]
    assert conditions.is_condition_true({"status": {"conditions": held}}, "Ready")
    assert conditions.remove_condition(held, "Ready")
    assert held == []
