import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from kybern.kube.cel.errors import EvaluationError, no_overload
from kybern.kube.cel.library.standard import float_text, to_string
from kybern.kube.cel.library.times import duration_text, timestamp_text
from kybern.kube.cel.overloads import Overload, member, part, plain, walks, walks_twice
from kybern.kube.cel.values import Duration, Opaque, Optional, Timestamp, TypeValue, show, type_name, weight

_UPPER = {code: code - 32 for code in range(97, 123)}
_LOWER = {code: code + 32 for code in range(65, 91)}
_SPACES = "".join(
    chr(code) for code in (9, 10, 11, 12, 13, 32, 133, 160, 5760, *range(8192, 8203), 8232, 8233, 8239, 8287, 12288)
)
CLAUSE = re.compile(r"%(?:%|(?:\.(\d{0,4}))?([a-zA-Z]))")
MOST_DIGITS = 1000
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_QUOTED = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v", "\\": r"\\", '"': r"\"",
}  # fmt: skip


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise EvaluationError(f"index out of range: {at}")
    return text[at : at + 1]


def _index_of(text: str, inner: str, start: int = 0) -> int:
    if not inner:
        return start
    if start < 0:
        raise EvaluationError(f"index out of range: {start}")
    return text.find(inner, start)


def _last_index_of(text: str, inner: str, start: int | None = None) -> int:
    start = len(text) if start is None else start
    if not inner:
        return start
    if start < 0:
        raise EvaluationError(f"index out of range: {start}")
    if start > len(text):
        return -1
    return text.rfind(inner, 0, start + len(inner))


def _substring(text: str, start: int, end: int | None = None) -> str:
    if end is not None and start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    end = len(text) if end is None else end
    if start < 0 or start > len(text):
        raise EvaluationError(f"index out of range: {start}")
    if end > len(text):
        raise EvaluationError(f"index out of range: {end}")
    return text[start:end]


def _replace(text: str, old: str, new: str, times: int = -1) -> str:
    return text.replace(old, new, times)


def _replace_price(text: str, old: str, new: str, times: int = -1) -> int:
    """A pass, and the characters that may be built."""
    count = len(text) + 1 if not old else text.count(old)
    return part(len(text), 0.2) + part(len(new) * (count if times < 0 else min(times, count)))


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if not separator:
        characters = list(text)
        if limit < 0 or len(characters) <= limit:
            return characters
        return [*characters[: limit - 1], "".join(characters[limit - 1 :])]
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _join(items: Sequence[Any], separator: str = "") -> str:
    for item in items:
        if type(item) is not str:
            raise no_overload("join", items)
    return separator.join(items)


def _join_price(items: Sequence[Any], separator: str = "") -> int:
    return part(sum(len(item) + len(separator) for item in items if type(item) is str), 0.2)


def _quote(text: str) -> str:
    return '"' + "".join(_QUOTED.get(character, character) for character in text) + '"'


def _format(pattern: str, arguments: Sequence[Any]) -> str:
    """`'%s: %d'.format([...])`. Raises EvaluationError."""
    rest = iter(arguments)
    used = 0

    def clause(match: "re.Match[str]") -> str:
        nonlocal used
        if match[0] == "%%":
            return "%"
        try:
            value = next(rest)
        except StopIteration:
            raise EvaluationError(f"index {used} out of range") from None
        used += 1
        return _clause(match[2], 6 if match[1] is None else int(match[1] or 0), value)

    _check_clauses(pattern)
    return CLAUSE.sub(clause, pattern)


def _check_clauses(pattern: str) -> None:
    at = pattern.find("%")
    while at >= 0:
        match = CLAUSE.match(pattern, at)
        if match is None or (match[2] is not None and match[2] not in "sdfebxXo"):
            what = first_byte(pattern[at + 1 :])
            raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{what}"')
        at = pattern.find("%", match.end())


def first_byte(text: str) -> str:
    """The character that Go takes the first byte of a text for."""
    return text[:1].encode(errors="replace")[:1].decode("latin-1")


def _clause(kind: str, precision: int, value: Any) -> str:
    number = isinstance(value, int) and not isinstance(value, bool)
    match kind:
        case "s":
            return _text(value)
        case "d" if number:
            return str(value)
        case "f" | "e" if value in _NO_NUMBERS or (isinstance(value, float) and not isfinite(value)):
            return _NO_NUMBERS.get(value) or _NO_NUMBERS[float_text(value).lstrip("+").replace("Inf", "Infinity")]
        case "f" if isinstance(value, float):
            return f"{value + 0.0:,.{min(precision, MOST_DIGITS)}f}"  # thousands apart, no sign of nothing
        case "e" if isinstance(value, float):  # with six digits, whatever was asked for
            mantissa, _, exponent = f"{float(value):.6e}".partition("e")
            return f"{mantissa}×10{exponent.removeprefix('+').translate(_SUPERSCRIPT)}" if exponent else mantissa
        case "b" if isinstance(value, int):
            return f"{int(value):b}"
        case "o" if number:
            return f"{value:o}"
        case "x" | "X" if number:
            return f"{value:{kind}}"
        case "x" | "X" if isinstance(value, (str, bytes)):
            found = (value.encode() if isinstance(value, str) else value).hex()
            return found.upper() if kind == "X" else found
    raise EvaluationError(f"error during formatting: {WANTED.get(kind, kind)} was given {type_name(value)}")


_NO_NUMBERS = {"NaN": "NaN", "Infinity": "∞", "-Infinity": "-∞"}
WANTED = {
    "s": "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and "
    "timestamps,",
    "d": "decimal clause can only be used on integers,", "f": "fixed-point clause can only be used on doubles,",
    "e": "scientific clause can only be used on doubles,", "b": "only integers and bools can be formatted as binary,",
    "o": "octal clause can only be used on integers,",
    "x": "only integers, byte buffers, and strings can be formatted as hex,",
    "X": "only integers, byte buffers, and strings can be formatted as hex,",
}  # fmt: skip


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return _decoded(value)
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, Timestamp):
        return timestamp_text(value)
    if isinstance(value, Duration):
        return duration_text(value)
    if isinstance(value, TypeValue):
        return value.name
    if isinstance(value, Mapping):
        return "{" + ", ".join(sorted(f"{_inner(key)}:{_inner(item)}" for key, item in value.items())) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_inner, value)) + "]"
    if isinstance(value, (Opaque, Optional)):
        raise EvaluationError(f"error during formatting: {WANTED['s']} was given {type_name(value)}")
    return show(value)


def _decoded(value: bytes) -> str:
    try:
        return to_string(value)
    except EvaluationError as error:
        what = f'could not convert argument "{error}" to string'
        raise EvaluationError(f"error during formatting: {what}") from None


def _inner(value: Any) -> str:
    """A value in a list or map: as an expression would write it."""
    match value:
        case str():
            return _quote(value)
        case bytes():
            return f"b{_quote(_decoded(value))}"
        case float():
            return f"{value:f}" if isfinite(value) else _quote(float_text(value))
        case Duration():
            return f"duration({_quote(duration_text(value))})"
        case Timestamp():
            return f"timestamp({_quote(timestamp_text(value))})"
    return _text(value)


def _format_price(pattern: str, arguments: Sequence[Any]) -> int:
    return part(len(pattern)) + 3 * weight(arguments)


OVERLOADS: list[Overload] = [
    member("charAt", "string, int -> string", _char_at),
    member("indexOf", "string, string -> int", _index_of, walks),
    member("indexOf", "string, string, int -> int", _index_of, walks),
    member("lastIndexOf", "string, string -> int", _last_index_of, walks),
    member("lastIndexOf", "string, string, int -> int", _last_index_of, walks),
    member("lowerAscii", "string -> string", lambda text: text.translate(_LOWER), walks),
    member("upperAscii", "string -> string", lambda text: text.translate(_UPPER), walks),
    member("replace", "string, string, string -> string", _replace, _replace_price),
    member("replace", "string, string, string, int -> string", _replace, _replace_price),
    member("split", "string, string -> list<string>", _split, walks_twice),
    member("split", "string, string, int -> list<string>", _split, walks_twice),
    member("substring", "string, int -> string", _substring, walks),
    member("substring", "string, int, int -> string", _substring, walks),
    member("trim", "string -> string", lambda text: text.strip(_SPACES), walks),
    member("join", "list<string> -> string", _join, _join_price),
    member("join", "list<string>, string -> string", _join, _join_price),
    member("format", "string, list<dyn> -> string", _format, _format_price),
    plain("strings.quote", "string -> string", _quote, walks),
]
