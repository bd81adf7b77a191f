"""What may stand in a label: key and value syntax, with upstream's explanation of what is wrong."""

from __future__ import annotations

import re

from kybern.kube.go_values import quoted

_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def label_key_problems(key: str, whole: str = "a qualified name") -> list[str]:
    """Everything wrong with a qualified name such as "example.com/role"; empty when it is valid."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return [f"{whole} " + _NAME_RULE + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    problems = []
    if slash:
        if not prefix:
            problems.append("prefix part must be non-empty")
        elif len(prefix) > 253:
            problems.append("prefix part must be no more than 253 bytes")
        elif _SUBDOMAIN.fullmatch(prefix) is None:
            problems.append("prefix part " + _SUBDOMAIN_RULE)
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 bytes")
    if _NAME.fullmatch(name) is None:
        problems.append("name part " + _NAME_RULE)
    return problems


def label_value_problems(value: str) -> list[str]:
    problems = []
    if len(value) > 63:
        problems.append("must be no more than 63 bytes")
    if value and _NAME.fullmatch(value) is None:
        problems.append(_VALUE_RULE)
    return problems


def check_label_key(key: str, error: type[ValueError]) -> None:
    if problems := label_key_problems(key, "a valid label key"):
        raise error(f"<nil>: Invalid value: {quoted(key)}: {'; '.join(problems)}")


def check_label_value(key: str, index: int, value: str, error: type[ValueError]) -> None:
    if problems := label_value_problems(value):
        raise error(f"values[{index}][{key}]: Invalid value: {quoted(value)}: {'; '.join(problems)}")
