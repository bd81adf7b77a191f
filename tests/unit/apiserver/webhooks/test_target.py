"""Where a clientConfig leads, and how messages name it."""

from typing import Any

import pytest

from kybern.apiserver.webhooks.target import ServiceReference, read_target

TABLE: dict[str, tuple[dict[str, Any], str, str]] = {
    "a URL": ({"url": "https://x.example.com/a"}, "https://x.example.com/a", "https://x.example.com/a?timeout=10s"),
    "no path": ({"url": "https://127.0.0.1:1"}, "https://127.0.0.1:1/", "https://127.0.0.1:1/?timeout=10s"),
    "a service": (
        {"service": {"namespace": "n", "name": "s"}},
        "https://s.n.svc:443/",
        "https://s.n.svc:443/?timeout=10s",
    ),
    "its port and path": (
        {"service": {"namespace": "n", "name": "s", "port": 8443, "path": "/a/b"}},
        "https://s.n.svc:8443/a/b",
        "https://s.n.svc:8443/a/b?timeout=10s",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_targets(name: str) -> None:
    config, url, shown = TABLE[name]
    target = read_target(config)
    assert (target.url, target.shown(10)) == (url, shown)


def test_seconds_are_rounded_up() -> None:
    assert read_target({"url": "https://x/"}).shown(0.2) == "https://x/?timeout=1s"


def test_a_service_is_known_by_its_name() -> None:
    target = read_target({"service": {"namespace": "n", "name": "s", "port": 1}, "caBundle": "Q0E="})
    assert (target.service, target.ca) == (ServiceReference("n", "s", 1), "CA")
