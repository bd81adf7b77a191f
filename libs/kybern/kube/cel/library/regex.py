"""Regular expressions in RE2's syntax, matched in linear time by the compiler's own RE2: matches, find, findAll."""

import re
from functools import lru_cache
from typing import Any

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.overloads import Overload, member, part

_GROUP = re.compile(r"(\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\])|\(\?P?<\w+>|\((?!\?)", re.DOTALL)


@lru_cache(maxsize=1)
def _engine() -> tuple[Any, Any]:
    """Two compiled expressions over `text` and `pattern`: does it match, and everything that does."""
    from cel_expr_python import cel

    extensions = "".join(f"  - name: {name}\n    version: latest\n" for name in ("optional", "regex"))
    config = cel.NewEnvConfigFromYaml(f"name: regex\nextensions:\n{extensions}")
    environment = cel.NewEnv(config=config, variables={"text": cel.Type.STRING, "pattern": cel.Type.STRING})
    return environment.compile("text.matches(pattern)"), environment.compile("regex.extractAll(text, pattern)")


def _run(program: Any, text: str, pattern: str, shown: str) -> Any:
    from cel_expr_python import cel

    try:
        found = program.eval(data={"text": text, "pattern": pattern})
    except (RuntimeError, ValueError) as error:
        raise EvaluationError(f"error parsing regexp: {_reason(str(error))}: `{shown}`") from None
    if found.type() == cel.Type.ERROR:
        raise EvaluationError(f"error parsing regexp: {_reason(str(found.value()))}: `{shown}`")
    return found.plain_value()


def _reason(message: str) -> str:
    return re.sub(r"^[A-Z_]+: ", "", message).partition("(")[0].strip() or "invalid pattern"


def matches(text: str, pattern: str) -> bool:
    """Whether a part of the text matches. Raises EvaluationError for a broken pattern."""
    return bool(_run(_engine()[0], text, pattern, pattern))


@lru_cache(maxsize=1024)
def _without_groups(pattern: str) -> str:
    """The same pattern, of which only the whole match is kept."""
    return _GROUP.sub(lambda match: match[1] or "(?:", pattern)


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """The texts that match, from left to right. Raises EvaluationError."""
    found: list[str] = _run(_engine()[1], text, _without_groups(pattern), pattern)
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
