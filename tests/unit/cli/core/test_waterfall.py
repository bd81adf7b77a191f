"""The picture of a trace."""

from kybern.cli.core.waterfall import BAR, Row, bar, depth_first, focus, render

MS = 1_000_000
ROWS = [
    Row("c", "b", "kybern-apiserver", "commit", 20 * MS, 30 * MS),
    Row("a", "", "kybern-gateway", "gateway POST pods", 0, 100 * MS),
    Row("b", "a", "kybern-apiserver", "create", 10 * MS, 40 * MS, "conflict"),
    Row("x", "unknown", "kybern-node", "start", 50 * MS, 90 * MS),
]


def test_parents_come_before_children_and_orphans_are_roots() -> None:
    assert [(depth, row.span_id) for depth, row in depth_first(ROWS)] == [(0, "a"), (1, "b"), (2, "c"), (0, "x")]


def test_bars_have_one_width_and_are_never_empty() -> None:
    for row in [*ROWS, Row("z", "", "", "", 100 * MS, 100 * MS)]:
        drawn = bar(row, 0, 100 * MS)
        assert len(drawn) == BAR
        assert "█" in drawn


def test_render_names_times_and_errors() -> None:
    text = render("t1", ROWS)
    assert text.startswith("trace t1   4 spans, 100.0 ms\n")
    assert "    commit" in text
    assert "10.0 ms" in text
    assert "✗ conflict" in text


def test_an_empty_trace() -> None:
    assert render("t", []) == "The trace is empty.\n"


def test_focus_keeps_what_led_to_an_object_and_what_was_done_for_it() -> None:
    rows = [
        Row("root", "", "gateway", "POST", 0, 9, about="web"),
        Row("rs", "root", "controllers", "reconcile", 1, 8, about="web-1"),
        Row("mine", "rs", "apiserver", "commit", 2, 3, about="pod-a"),
        Row("work", "mine", "node", "sandbox", 3, 4, about="pod-a"),
        Row("write", "work", "apiserver", "admission", 4, 5),
        Row("other", "rs", "apiserver", "commit", 2, 3, about="pod-b"),
        Row("back", "work", "controllers", "reconcile", 5, 6, about="web-1"),
    ]
    assert [row.span_id for row in focus(rows, "pod-a")] == ["root", "rs", "mine", "work", "write"]
    assert focus(rows, "unknown") == []
