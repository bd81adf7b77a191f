"""resolv.conf: where other names are asked for."""

import ipaddress

PORT = 53
Address = tuple[str, int]


def nameservers(text: str) -> list[Address]:
    """The nameservers in the text of a resolv.conf; what is no address is left out."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver" and is_address(words[1]):
            found.append((words[1], PORT))
    return list(dict.fromkeys(found))


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    return True


def parse_address(text: str) -> Address:
    """`1.2.3.4`, `1.2.3.4:53`, `2001:db8::1` or `[2001:db8::1]:53`. Raises ValueError."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    if not is_address(host) or (port and not (port.isdecimal() and 0 <= int(port) < 65536)):
        raise ValueError(f"{text!r} is not an address: write 10.0.0.1, 10.0.0.1:53 or [2001:db8::1]:53")
    return host, int(port) if port else PORT
