"""Probes and lifecycle hooks: exactly one handler each, and what each handler must say."""

from kybern.kube.field import forbidden, invalid, required
from kybern.kube.validation.fields import (
    Errors,
    Object,
    items,
    non_negative,
    one_of,
    port_number_or_name,
    text,
)
from kybern.kube.validation.names import (
    http_header_name,
)

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")


def validate_probe(probe: Object, path: str, grace: int, *, success_must_be_one: bool = False) -> Errors:
    """`grace`: the pod's seconds to end in."""
    yield from _handler(probe, _HANDLERS, path, grace)
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        yield from non_negative(probe, name, path)
    own = probe.get("terminationGracePeriodSeconds")
    if own is not None and own <= 0:
        yield invalid(f"{path}.terminationGracePeriodSeconds", own, "must be greater than 0")
    if success_must_be_one and probe.get("successThreshold", 1) != 1:
        yield invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1")


def validate_lifecycle(lifecycle: Object, path: str, grace: int) -> Errors:
    for name in ("postStart", "preStop"):
        if lifecycle.get(name) is not None:
            yield from _handler(lifecycle[name], _HOOK_HANDLERS, f"{path}.{name}", grace)


def _handler(handler: Object, allowed: tuple[str, ...], path: str, grace: int) -> Errors:
    given = [name for name in allowed if handler.get(name) is not None]
    if not given:
        yield required(path, "must specify a handler type")
        return
    name = given[0]
    if name == "sleep":
        yield from _sleep(handler[name], f"{path}.{name}", grace)
    else:
        yield from _HANDLER_CHECKS[name](handler[name], f"{path}.{name}")
    for name in given[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 handler type")


def _exec(action: Object, path: str) -> Errors:
    if not action.get("command"):
        yield required(f"{path}.command")


def _http_get(action: Object, path: str) -> Errors:
    if not action.get("path"):
        yield required(f"{path}.path")
    yield from port_number_or_name(action.get("port", 0), f"{path}.port")
    yield from one_of(action, "scheme", path, ("HTTP", "HTTPS"), must=True)
    for header in items(action, "httpHeaders"):
        yield from text(header.get("name") or "", f"{path}.httpHeaders", http_header_name)


def _tcp_socket(action: Object, path: str) -> Errors:
    yield from port_number_or_name(action.get("port", 0), f"{path}.port")


def _sleep(action: Object, path: str, grace: int) -> Errors:
    seconds = action.get("seconds") or 0
    if not 0 <= seconds <= grace:
        detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
        yield invalid(path, seconds, detail)


_HANDLER_CHECKS = {"exec": _exec, "httpGet": _http_get, "tcpSocket": _tcp_socket, "grpc": _tcp_socket}
