from prometheus_client import CollectorRegistry, generate_latest

from kybern.rpc.metrics import server_metrics, split


def test_families() -> None:
    registry = CollectorRegistry()
    metrics = server_metrics(registry)
    for seconds in (0.0001, 0.0005, 0.02, 99.0):
        metrics.record("/a.b.C/Do", "OK", seconds)
    metrics.record("/a.b.C/Do", "NOT_FOUND", 0.0)
    text = generate_latest(registry).decode()
    labels = 'grpc_method="Do",grpc_service="a.b.C"'
    assert f'grpc_server_handled_total{{grpc_code="OK",{labels}}} 4.0' in text
    assert f'grpc_server_handled_total{{grpc_code="NOT_FOUND",{labels}}} 1.0' in text
    for bound, count in (("0.0005", 3), ("0.01", 3), ("0.025", 4), ("30.0", 4), ("+Inf", 5)):
        assert (
            f'grpc_server_handling_seconds_bucket{{grpc_method="Do",grpc_service="a.b.C",le="{bound}"}} {count}.0'
            in text
        )
    assert f"grpc_server_handling_seconds_count{{{labels}}} 5.0" in text


def test_split() -> None:
    assert split("/a.b.C/Do") == ["a.b.C", "Do"]
