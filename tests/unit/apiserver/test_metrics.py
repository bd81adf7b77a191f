"""Attempts of authentication and authorization are told by how requests end; feature gates are 1.36's."""

from prometheus_client import CollectorRegistry

from kybern.apiserver.metrics import ApiMetrics, features


def test_attempts() -> None:
    registry = CollectorRegistry()
    metrics = ApiMetrics(registry, lambda: 2)
    for code in (200, 200, 404, 403):
        metrics.series("GET", "", "pods").record(code, 0.1)
    for code in (200, 401, 403):
        metrics.access(code)
    value = registry.get_sample_value
    assert value("authentication_attempts", {"result": "success"}) == 6
    assert value("authentication_attempts", {"result": "error"}) == 1
    assert value("authenticated_user_requests", {"username": "other"}) == 6
    assert value("authorization_attempts_total", {"result": "allowed"}) == 4
    assert value("authorization_attempts_total", {"result": "no-opinion"}) == 2


def test_nothing_is_shown_of_what_never_happened() -> None:
    registry = CollectorRegistry()
    ApiMetrics(registry)
    assert registry.get_sample_value("authentication_attempts", {"result": "success"}) is None


def test_features() -> None:
    known = features()
    assert "ServerSideApply" not in known.get("ALPHA", {}).get("on", [])
    assert not known["ALPHA"]["on"], "what is alpha is off"
    assert not known[""]["off"], "what is stable is on"
    names = [name for stage in known.values() for some in stage.values() for name in some]
    assert len(names) == len(set(names)) > 200
