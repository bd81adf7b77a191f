"""A trace as a waterfall for a terminal."""

from dataclasses import dataclass

BAR = 40  # width of the time column in characters


@dataclass(frozen=True)
class Row:
    """One span; times in nanoseconds since the epoch."""

    span_id: str
    parent: str
    service: str
    name: str
    start: int
    end: int
    error: str = ""
    about: str = ""  # name of the object it speaks of, "" for none


def focus(rows: list[Row], name: str) -> list[Row]:
    """The way of one object: spans that speak of it, what led to them, and what they did on its behalf.

    A span that speaks of another object is left out with everything below it, unless it led to the object.
    """
    by_id = {row.span_id: row for row in rows}
    kept = {row.span_id for row in rows if row.about == name}
    for span_id in [*kept]:
        parent = by_id[span_id].parent
        while parent in by_id and parent not in kept:
            kept.add(parent)
            parent = by_id[parent].parent
    below: set[str] = {row.span_id for row in rows if row.about == name}
    for row in sorted(rows, key=lambda r: r.start):
        if row.parent in below and row.about in ("", name):
            below.add(row.span_id)
    return [row for row in rows if row.span_id in kept | below]


def depth_first(rows: list[Row]) -> list[tuple[int, Row]]:
    """Rows with their depth, parents before children, siblings by start; orphans are roots."""
    known = {row.span_id for row in rows}
    children: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda r: (r.start, -r.end)):
        children.setdefault(row.parent if row.parent in known else "", []).append(row)
    ordered: list[tuple[int, Row]] = []
    stack = [(0, row) for row in reversed(children.get("", []))]
    while stack:
        depth, row = stack.pop()
        ordered.append((depth, row))
        stack.extend((depth + 1, child) for child in reversed(children.get(row.span_id, [])))
    return ordered


def bar(row: Row, first: int, total: int) -> str:
    """The row's place in time as a bar of fixed width."""
    left = min(BAR - 1, (row.start - first) * BAR // total)
    right = min(BAR, max(left + 1, -((first - row.end) * BAR // total)))
    return " " * left + "█" * (right - left) + " " * (BAR - right)


def milliseconds(nanoseconds: int) -> str:
    """`12.3 ms`, right-aligned in 11 characters."""
    return f"{nanoseconds / 1e6:8.1f} ms"


def render(trace_id: str, rows: list[Row]) -> str:
    """The whole picture, with a heading and one line a span."""
    if not rows:
        return "The trace is empty.\n"
    first, last = min(row.start for row in rows), max(row.end for row in rows)
    total = max(1, last - first)
    names = [("  " * depth + row.name, row) for depth, row in depth_first(rows)]
    width = min(60, max(len(name) for name, _ in names))
    lines = [f"trace {trace_id}   {len(rows)} spans, {total / 1e6:.1f} ms"]
    for name, row in names:
        service = row.service.removeprefix("kybern-")
        mark = f"  ✗ {row.error}" if row.error else ""
        lines.append(
            f"{name[:width]:<{width}}  {service:<11} {milliseconds(row.start - first)} {bar(row, first, total)} "
            f"{milliseconds(row.end - row.start)}{mark}"
        )
    return "\n".join(lines) + "\n"
