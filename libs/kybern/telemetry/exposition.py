"""The text that Prometheus reads, as Go's client library writes it: families by name, numbers in Go's shortest form.

Recording rules and alerts compare bounds of buckets as text (`le="1"`): "1.0" would be another bucket to them.
"""

import math
from collections.abc import Iterable, Set
from decimal import Decimal

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
BEGIN = b"# HELP "
ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
ESCAPED_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


def go_number(value: float) -> str:
    """`strconv.FormatFloat(value, 'g', -1, 64)`."""
    if not math.isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    if abs(value) < 1e6 and value == int(value):
        return str(int(value))
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    assert isinstance(exponent, int)
    text, point = "".join(map(str, digits)), len(digits) + exponent  # where the decimal point is
    minus = "-" if sign else ""
    if not -4 < point <= 6:
        fraction = f".{text[1:]}" if len(text) > 1 else ""
        return f"{minus}{text[0]}{fraction}e{'-' if point < 1 else '+'}{abs(point - 1):02d}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    return f"{minus}{text[:point]}.{text[point:]}"


def exposition(registry: CollectorRegistry) -> bytes:
    """All families that have samples, or that have no labels to have them by."""
    return b"".join(sorted(filter(None, map(_block, registry.collect()))))


def joined(own: bytes, others: bytes, hidden: Set[bytes] = frozenset()) -> bytes:
    """Metrics of two processes as one text: families that both have are shown as the first has them, and those that
    are `hidden` as it has them or not at all."""
    known = {_name(block): block for block in own.split(BEGIN)[1:]}
    more = {_name(block): block for block in others.split(BEGIN)[1:] if _name(block) not in hidden}
    return b"".join(BEGIN + block for _, block in sorted((more | known).items()))


def _name(block: bytes) -> bytes:
    return block.split(b" ", 1)[0]


def _block(family: Metric) -> bytes:
    """One family; none without samples."""
    if not family.samples:
        return b""
    kind, name = family.type, family.name
    if kind == "counter":
        name = family.samples[0].name  # some of Kubernetes' do not end in _total
    elif kind in ("info", "unknown", "stateset"):
        kind = "untyped" if kind == "unknown" else "gauge"
    lines = [f"# HELP {name} {family.documentation.translate(ESCAPED_HELP)}", f"# TYPE {name} {kind}"]
    return "\n".join((*lines, *map(_line, _in_order(family.samples)), "")).encode()


def _in_order(samples: Iterable[Sample]) -> Iterable[Sample]:
    """A histogram's sum comes before its count in Go."""
    held: Sample | None = None
    for sample in samples:
        if sample.name.endswith("_count") and held is None:
            held = sample
            continue
        yield sample
        if held is not None:
            yield held
            held = None
    if held is not None:
        yield held


def _line(sample: Sample) -> str:
    labels = sample.labels
    if not labels:
        return f"{sample.name} {go_number(sample.value)}"
    names = sorted(name for name in labels if name not in ("le", "quantile"))
    pairs = [f'{name}="{labels[name].translate(ESCAPED)}"' for name in names]
    pairs += [f'{bound}="{go_number(float(labels[bound]))}"' for bound in ("le", "quantile") if bound in labels]
    return f"{sample.name}{{{','.join(pairs)}}} {go_number(sample.value)}"
