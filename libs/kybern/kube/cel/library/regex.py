"""Regular expressions in RE2's syntax, matched in linear time by the compiler's own RE2: matches, find, findAll."""

import re
from functools import lru_cache
from typing import Any

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.overloads import Overload, member, part

_GROUP = re.compile(r"(\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\])|\(\?P?<\w+>|\((?!\?)", re.DOTALL)

_OPEN, _CLOSE = "\ue000", "\ue001"  # characters that nobody uses
_MARKED = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
SHORT = 512  # characters of text and pattern: such an answer is remembered, for the engine costs more than the match


@lru_cache(maxsize=1)
def _engine() -> tuple[Any, Any, Any]:
    """Compiled expressions over `text` and `pattern`: does it match, everything that does, the same between marks."""
    from cel_expr_python import cel

    extensions = "".join(f"  - name: {name}\n    version: latest\n" for name in ("optional", "regex"))
    config = cel.NewEnvConfigFromYaml(f"name: regex\nextensions:\n{extensions}")
    environment = cel.NewEnv(config=config, variables={"text": cel.Type.STRING, "pattern": cel.Type.STRING})
    marked = f"regex.replace(text, pattern, '{_OPEN}' + r'\\0' + '{_CLOSE}')"
    found = [environment.compile(one) for one in ("text.matches(pattern)", "regex.extractAll(text, pattern)", marked)]
    return found[0], found[1], found[2]


def _run(program: Any, text: str, pattern: str, shown: str) -> Any:
    from cel_expr_python import cel

    try:
        found = program.eval(data={"text": text, "pattern": pattern})
    except (RuntimeError, ValueError) as error:
        raise EvaluationError(_in_go(str(error), shown)) from None
    if found.type() == cel.Type.ERROR:
        raise EvaluationError(_in_go(str(found.value()), shown))
    return found.plain_value()


_REFUSED = re.compile(r"[A-Z_]+: invalid regular expression: (.*?)(?:: (.*))?", re.DOTALL)
_GO_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "trailing \\": "trailing backslash at end of expression",
}


def _in_go(message: str, pattern: str) -> str:
    """What Go says of a pattern that the engine refuses with this message."""
    refused = _REFUSED.fullmatch(message)
    why, where = (refused[1], refused[2] or "") if refused is not None else (message, pattern)
    return f"error parsing regexp: {_GO_WORDS.get(why, why)}: `{where}`"


def matches(text: str, pattern: str) -> bool:
    """Whether a part of the text matches. Raises EvaluationError for a broken pattern."""
    return (_remembered if len(text) + len(pattern) <= SHORT else _matches)(text, pattern)


def _matches(text: str, pattern: str) -> bool:
    return bool(_run(_engine()[0], text, pattern, pattern))


_remembered = lru_cache(maxsize=8192)(_matches)


@lru_cache(maxsize=1024)
def _without_groups(pattern: str) -> str:
    """The same pattern, of which only the whole match is kept."""
    return _GROUP.sub(lambda match: match[1] or "(?:", pattern)


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """The texts that match, from left to right. Raises EvaluationError."""
    if matches("", pattern) and _OPEN not in text and _CLOSE not in text:  # empty matches count, too
        found: list[str] = _MARKED.findall(_run(_engine()[2], text, pattern, pattern))
    else:
        found = _run(_engine()[1], text, _without_groups(pattern), pattern)
    return found if limit < 0 else found[:limit]


def _find(text: str, pattern: str) -> str:
    found = find_all(text, pattern)
    return found[0] if found else ""


def _matches_price(text: str, pattern: str) -> int:
    return part(1 + len(text)) * part(len(pattern), 0.25)


def _find_price(text: str, pattern: str, _: int = 0) -> int:
    return _matches_price(text, pattern)


OVERLOADS: list[Overload] = [
    member("matches", "string, string -> bool", matches, _matches_price, False),
    member("find", "string, string -> string", _find, _find_price),
    member("findAll", "string, string -> list<string>", find_all, _find_price),
    member("findAll", "string, string, int -> list<string>", find_all, _find_price),
]
