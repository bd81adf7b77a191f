"""What is wrong with a text that is no IP address, in the words of Go's netip."""

import re

_HEX = re.compile(r"[0-9a-fA-F]*", re.ASCII)
_V4, _V6 = 4, 16  # bytes


def why_no_address(text: str) -> str:
    """The problem, with the rest of the text where it is; "" for an address, which may have a zone."""
    for character in text:
        if character == ".":
            return _why_no_ipv4(text)
        if character == ":":
            return _why_no_ipv6(text)
        if character == "%":
            return "missing IPv6 address"
    return "unable to parse IP"


def _at(problem: str, rest: str) -> str:
    return f'{problem} (at "{rest}")'


def _why_no_ipv4(text: str) -> str:
    fields = 0
    value, digits = 0, 0
    for at, character in enumerate(text):
        if "0" <= character <= "9":
            if digits == 1 and value == 0:
                return "IPv4 field has octet with leading zero"
            value, digits = value * 10 + int(character), digits + 1
            if value > 255:
                return "IPv4 field has value >255"
        elif character != ".":
            return _at("unexpected character", text[at:])
        elif at in (0, len(text) - 1) or text[at - 1] == ".":
            return _at("IPv4 field must have at least one digit", text[at:])
        elif fields == _V4 - 1:
            return "IPv4 address too long"
        else:
            fields, value, digits = fields + 1, 0, 0
    return "IPv4 address too short" if fields < _V4 - 1 else ""


def _why_no_ipv6(text: str) -> str:
    rest, percent, zone = text.partition("%")
    if percent and not zone:
        return "zone must be a non-empty string"
    ellipsis, size = -1, 0  # where the zeros are left out, and the bytes that have been read
    if rest.startswith("::"):
        ellipsis, rest = 0, rest[2:]
        if not rest:
            return ""
    while size < _V6:
        match = _HEX.match(rest)
        digits = match[0] if match is not None else ""
        if len(digits) > 4:
            return _at("each group must have 4 or less digits", rest)
        if not digits:
            return _at("each colon-separated field must have at least one digit", rest)
        after = rest[len(digits) :]
        if after.startswith("."):
            problem = _why_not_embedded(rest, ellipsis, size)
            if problem:
                return problem
            rest, size = "", size + _V4
            break
        size, rest = size + 2, after
        if not rest:
            break
        if rest[0] != ":":
            return _at("unexpected character, want colon", rest)
        if len(rest) == 1:
            return _at("colon must be followed by more characters", rest)
        rest = rest[1:]
        if rest[0] == ":":
            if ellipsis >= 0:
                return _at("multiple :: in address", rest)
            ellipsis, rest = size, rest[1:]
            if not rest:
                break
    if rest:
        return _at("trailing garbage after address", rest)
    if size < _V6:
        return "address string too short" if ellipsis < 0 else ""
    return "the :: must expand to at least one field of zeros" if ellipsis >= 0 else ""


def _why_not_embedded(rest: str, ellipsis: int, size: int) -> str:
    """What is wrong with an IPv4 address at the end of one of IPv6."""
    if ellipsis < 0 and size != _V6 - _V4:
        return _at("embedded IPv4 address must replace the final 2 fields of the address", rest)
    if size + _V4 > _V6:
        return _at("too many hex fields to fit an embedded IPv4 at the end of the address", rest)
    return _why_no_ipv4(rest)
