"""Text formats: DNS labels, qualified names, label values, ports; each returns what is wrong, empty when nothing is."""

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Check = Callable[[str], list[str]]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HEADER = "[-A-Za-z0-9]+"
_PERCENT = "[0-9]+%"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"

_ALPHANUMERIC_ENDS = "and must start and end with an alphanumeric character"
_LABEL_TEXT = (
    f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ALPHANUMERIC_ENDS}"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    + _ALPHANUMERIC_ENDS
)
_LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character"
)
_QUALIFIED_TEXT = f"must consist of alphanumeric characters, '-', '_' or '.', {_ALPHANUMERIC_ENDS}"
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    + _ALPHANUMERIC_ENDS
)


def regex_error(text: str, pattern: str, *examples: str) -> str:
    """The sentence for a value that does not match, with examples of values that do."""
    if not examples:
        return f"{text} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{pattern}')"


def max_length_error(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def max_characters_error(limit: int) -> str:
    """As `max_length_error`, for what is said of DNS names, port names and keys of ConfigMaps."""
    return f"must be no more than {limit} characters"


def range_error(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def min_error(low: int) -> str:
    return f"must be greater than or equal to {low}"


@lru_cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _length(value: str) -> int:
    return len(value.encode()) if not value.isascii() else len(value)


def _shape(
    value: str,
    limit: int,
    pattern: str,
    text: str,
    *examples: str,
    too_long: Callable[[int], str] = max_characters_error,
) -> list[str]:
    problems = [too_long(limit)] if _length(value) > limit else []
    if _compiled(pattern).fullmatch(value) is None:
        problems.append(regex_error(text, pattern, *examples))
    return problems


def dns1123_label(value: str) -> list[str]:
    problems = [max_characters_error(63)] if _length(value) > 63 else []
    if _compiled(_LABEL).fullmatch(value) is None:
        dots = re.fullmatch(_SUBDOMAIN, value) is not None
        problems.append("must not contain dots" if dots else regex_error(_LABEL_TEXT, _LABEL, "my-name", "123-abc"))
    return problems


def dns1123_subdomain(value: str) -> list[str]:
    return _shape(value, 253, _SUBDOMAIN, _SUBDOMAIN_TEXT, "example.com")


def long_name(value: str) -> list[str]:
    """As `dns1123_subdomain`, for kinds whose names are declared: their length is told in bytes."""
    return [max_length_error(253) if one == max_characters_error(253) else one for one in dns1123_subdomain(value)]


def search_domain(value: str) -> list[str]:
    """A DNS subdomain of a resolver's search list, where names may begin with or have an underscore."""
    label = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
    text = _SUBDOMAIN_TEXT.replace("'-' or '.'", "'_', '-' or '.'")
    return _shape(value, 253, rf"{label}(\.{label})*", text, "example.com")


def dns1035_label(value: str) -> list[str]:
    return _shape(value, 63, _LABEL_1035, _LABEL_1035_TEXT, "my-name", "abc-123")


def wildcard_subdomain(value: str) -> list[str]:
    text = (
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
        "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
    )
    return _shape(value, 253, rf"\*\.{_SUBDOMAIN}", text, "*.example.com")


def label_key(value: str) -> list[str]:
    """The key of a label: a qualified name, under its own name where the slashes are wrong."""
    return [problem.replace("a qualified name ", "a valid label key ", 1) for problem in qualified_name(value)]


def qualified_name(value: str) -> list[str]:
    """A label or annotation key: an optional DNS subdomain and `/`, then a name of up to 63 characters."""
    examples = ("MyName", "my.name", "123-abc")
    prefix, slash, name = value.rpartition("/")
    problems = []
    if slash:
        if "/" in prefix:
            text = regex_error(f"a qualified name {_QUALIFIED_TEXT}", _QUALIFIED, *examples)
            return [f"{text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
        if not prefix:
            problems.append("prefix part must be non-empty")
        else:
            problems += [f"prefix part {problem}" for problem in dns1123_subdomain(prefix)]
    if not name:
        problems.append("name part must be non-empty")
    elif _length(name) > 63:
        problems.append(f"name part {max_length_error(63)}")
    if re.fullmatch(_QUALIFIED, name) is None:
        problems.append(f"name part {regex_error(_QUALIFIED_TEXT, _QUALIFIED, *examples)}")
    return problems


def label_value(value: str) -> list[str]:
    return _shape(value, 63, _LABEL_VALUE, _LABEL_VALUE_TEXT, "MyValue", "my_value", "12345", too_long=max_length_error)


def config_map_key(value: str) -> list[str]:
    text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    problems = _shape(value, 253, _CONFIG_KEY, text, "key.name", "KEY_NAME", "key-name")
    if value == ".":
        problems.append("must not be '.'")
    elif value == "..":
        problems.append("must not be '..'")
    elif value.startswith(".."):
        problems.append("must not start with '..'")
    return problems


def env_var_name(value: str) -> list[str]:
    if not value:
        return ["environment variable name must be non-empty"]
    if all(32 <= ord(char) < 127 and char != "=" for char in value):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def c_identifier(value: str) -> list[str]:
    text = "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric"
    pattern = _C_IDENTIFIER
    if re.fullmatch(pattern, value):
        return []
    return [regex_error(f"{text} characters or '_'", pattern, "my_name", "MY_NAME", "MyName")]


def http_header_name(value: str) -> list[str]:
    if re.fullmatch(_HEADER, value):
        return []
    return [regex_error("a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER, "X-Header-Name")]


def percent(value: str) -> list[str]:
    if re.fullmatch(_PERCENT, value):
        return []
    text = "a valid percent string must be a numeric string followed by an ending '%'"
    return [regex_error(text, _PERCENT, "1%", "93%")]


def port_number(value: Any) -> list[str]:
    return [] if isinstance(value, int) and 1 <= value <= 65535 else [range_error(1, 65535)]


def port_name(value: str) -> list[str]:
    """An IANA service name: at most 15 of [a-z0-9-], a letter among them, hyphens only singly and inside."""
    problems = [max_characters_error(15)] if len(value) > 15 else []
    if re.fullmatch("[-a-z0-9]+", value) is None:
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if re.search("[a-z]", value) is None:
        problems.append("must contain at least one letter (a-z)")
    if "--" in value:
        problems.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def ip_address(value: str) -> list[str]:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


LEADING_ZEROS = ["must not have leading 0s"]


def strict_ip_address(value: str) -> list[str]:
    """As `ip_address`, and written so that all read it the same."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", value) and re.search(r"(^|\.)0[0-9]", value):
        return LEADING_ZEROS
    problems = ip_address(value)
    if not problems and ":" in value and ipaddress.IPv6Address(value).ipv4_mapped is not None:
        return ["must not be an IPv4-mapped IPv6 address"]
    return problems


def strict_cidr(value: str) -> list[str]:
    """As `cidr`, and written so that all read it the same: a network, not an address in it."""
    if re.search(r"(^|[./])0[0-9]", value) and not cidr(re.sub(r"(^|[./])0+(?=[0-9])", r"\1", value)):
        return ["must not have leading 0s in IP or prefix length"]
    problems = cidr(value)
    if not problems and ipaddress.ip_interface(value).ip != ipaddress.ip_network(value, strict=False).network_address:
        return ["must not have bits set beyond the prefix length"]
    return problems


def cidr(value: str) -> list[str]:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
    return [] if "/" in value else ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]


def path_segment(value: str) -> list[str]:
    """A name that can stand in a URL path, as RBAC objects have: anything but `.`, `..`, `/` and `%`."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in value]
