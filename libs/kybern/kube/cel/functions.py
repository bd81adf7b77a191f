"""Kubernetes' CEL library: functions on lists and strings that standard CEL does not have."""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from cel_expr_python import cel

from kybern.kube import quantity

DYN, BOOL, INT, STRING = cel.Type.DYN, cel.Type.BOOL, cel.Type.INT, cel.Type.STRING
LIST = cel.Type.List(DYN)


def _is_sorted(items: list[Any]) -> bool:
    return all(a <= b for a, b in pairwise(items))


def _least(items: list[Any]) -> Any:
    return min(items)


def _most(items: list[Any]) -> Any:
    return max(items)


def _find(text: str, pattern: str) -> str:
    match = re.search(pattern, text)
    return match[0] if match else ""


def _find_all(text: str, pattern: str) -> list[str]:
    return [match[0] for match in re.finditer(pattern, text)]


def _find_some(text: str, pattern: str, limit: int) -> list[str]:
    found = _find_all(text, pattern)
    return found if limit < 0 else found[:limit]


def _reads(read: Callable[[str], Any]) -> Callable[[str], bool]:
    """Whether a text can be read."""

    def check(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return check


def _url(text: str) -> None:
    parts = urlsplit(text)
    if not (parts.scheme and parts.netloc) and not text.startswith("/"):
        raise ValueError(text)


def _cidr(text: str) -> None:
    if "/" not in text:
        raise ValueError(text)
    ip_network(text, strict=False)


def _member(name: str, returns: Any, first: Any, *parameters: Any, impl: Callable[..., Any]) -> Any:
    overload = cel.Overload(
        f"kubernetes_{name}_{len(parameters)}", return_type=returns, parameters=[first, *parameters], is_member=True,
        impl=impl,
    )  # fmt: skip
    return name, overload


def _global(name: str, impl: Callable[[str], Any]) -> Any:
    return name, cel.Overload(f"kubernetes_{name}", return_type=BOOL, parameters=[STRING], is_member=False, impl=impl)


def functions() -> list[Any]:
    """Declarations with their implementations."""
    overloads = [
        _member("isSorted", BOOL, LIST, impl=_is_sorted),
        _member("sum", DYN, LIST, impl=sum),
        _member("min", DYN, LIST, impl=_least),
        _member("max", DYN, LIST, impl=_most),
        _member("find", STRING, STRING, STRING, impl=_find),
        _member("findAll", cel.Type.List(STRING), STRING, STRING, impl=_find_all),
        _member("findAll", cel.Type.List(STRING), STRING, STRING, INT, impl=_find_some),
        _global("isURL", _reads(_url)),
        _global("isIP", _reads(ip_address)),
        _global("isCIDR", _reads(_cidr)),
        _global("isQuantity", _reads(quantity.parse)),
    ]
    by_name: dict[str, list[Any]] = {}
    for name, overload in overloads:
        by_name.setdefault(name, []).append(overload)
    return [cel.FunctionDecl(name, found) for name, found in by_name.items()]
