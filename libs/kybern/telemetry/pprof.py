"""Profiles in the form that `go tool pprof` and its kin read: a gzipped protobuf message, written by hand.

Five small messages, whose numbers the format's description gives; pure.
"""

import gzip
from collections.abc import Iterator, Mapping

Stack = tuple[tuple[str, str, int], ...]  # function, file, line; the innermost first
SAMPLE_TYPE, SAMPLE, LOCATION, FUNCTION, STRING, TIME, DURATION, PERIOD_TYPE, PERIOD = 1, 2, 4, 5, 6, 9, 10, 11, 12


def profile(processes: Mapping[str, Mapping[Stack, int]], hertz: int, began: int, seconds: int) -> bytes:
    """CPU time in nanoseconds by stack and process; `began` is in seconds since 1970."""
    return gzip.compress(_Writer(hertz).message(processes, began, seconds), 6, mtime=0)


class _Writer:
    """Tables of strings, functions and places, in the order in which they are met."""

    def __init__(self, hertz: int) -> None:
        self._period = 1_000_000_000 // hertz
        self._strings: dict[str, int] = {"": 0}
        self._functions: dict[tuple[str, str], int] = {}
        self._places: dict[tuple[str, str, int], int] = {}

    def message(self, processes: Mapping[str, Mapping[Stack, int]], began: int, seconds: int) -> bytes:
        types = [self._type("samples", "count"), self._type("cpu", "nanoseconds")]
        samples = [self._sample(process, stack, spent) for process, found in processes.items()
                   for stack, spent in found.items()]  # fmt: skip
        return b"".join(
            (
                *(_bytes(SAMPLE_TYPE, one) for one in types),
                *(_bytes(SAMPLE, one) for one in samples),
                *(_bytes(LOCATION, one) for one in self._locations()),
                *(_bytes(FUNCTION, self._named(*one)) for one in list(self._functions.items())),
                *(_bytes(STRING, text.encode()) for text in self._strings),
                _number(TIME, began * 1_000_000_000) + _number(DURATION, seconds * 1_000_000_000),
                _bytes(PERIOD_TYPE, types[1]) + _number(PERIOD, self._period),
            )
        )

    def _text(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _type(self, name: str, unit: str) -> bytes:
        return _number(1, self._text(name)) + _number(2, self._text(unit))

    def _sample(self, process: str, stack: Stack, spent: int) -> bytes:
        places = [*stack, (process, "", 0)]  # outermost: whose it is
        found = [self._places.setdefault(place, len(self._places) + 1) for place in places]
        counts = (max(1, round(spent / self._period)), spent)
        return _bytes(1, b"".join(map(_varint, found))) + _bytes(2, b"".join(map(_varint, counts)))

    def _locations(self) -> Iterator[bytes]:
        for (name, file, line), number in self._places.items():
            function = self._functions.setdefault((name, file), len(self._functions) + 1)
            yield _number(1, number) + _bytes(4, _number(1, function) + _number(2, line))

    def _named(self, of: tuple[str, str], number: int) -> bytes:
        name, file = self._text(of[0]), self._text(of[1])
        return _number(1, number) + _number(2, name) + _number(3, name) + _number(4, file)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
