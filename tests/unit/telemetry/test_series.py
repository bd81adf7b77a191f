from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from kybern.telemetry.series import SeriesTable


def samples(table: SeriesTable[tuple[str]]) -> dict[tuple[str, str], float]:
    total = CounterMetricFamily("requests", "", labels=("path", "code"))
    table.add_to(total, HistogramMetricFamily("seconds", "", labels=("path",)))
    return {(one.labels["path"], one.labels["code"]): one.value for one in total.samples}


def test_each_set_of_labels_is_counted_by_itself() -> None:
    table = SeriesTable((0.1, 1.0), rest=("",))
    for path in ("a", "b", "a"):
        table.of((path,)).record(200, 0.5)
    assert table.of(("a",)) is table.of(("a",))
    assert samples(table) == {("a", "200"): 2, ("b", "200"): 1}


def test_what_clients_make_up_is_counted_together_when_it_is_too_much() -> None:
    table = SeriesTable((0.1, 1.0), rest=("",), most=2)
    for path in ("a", "b", "c", "d", "a"):
        table.of((path,)).record(404, 0.5)
    assert samples(table) == {("a", "404"): 2, ("b", "404"): 1, ("", "404"): 2}
