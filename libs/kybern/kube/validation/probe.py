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


def validate_probe(probe: Object, path: str, *, success_must_be_one: bool = False) -> Errors:
    yield from _handler(probe, _HANDLERS, path)
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        yield from non_negative(probe, name, path)
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        yield invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")
    if success_must_be_one and probe.get("successThreshold", 1) != 1:
        yield invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1")


def validate_lifecycle(lifecycle: Object, path: str) -> Errors:
    for name in ("postStart", "preStop"):
        if lifecycle.get(name) is not None:
            yield from _handler(lifecycle[name], ("exec", "httpGet", "tcpSocket", "sleep"), f"{path}.{name}")


def _handler(handler: Object, allowed: tuple[str, ...], path: str) -> Errors:
    given = [name for name in allowed if handler.get(name) is not None]
    for name in given[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 handler type")
    if not given:
        yield required(path, "must specify a handler type")
        return
    name = given[0]
    yield from _HANDLER_CHECKS[name](handler[name], f"{path}.{name}")


def _exec(action: Object, path: str) -> Errors:
    if not action.get("command"):
        yield required(f"{path}.command")


def _http_get(action: Object, path: str) -> Errors:
    if not action.get("path"):
        yield required(f"{path}.path")
    yield from port_number_or_name(action.get("port") or 0, f"{path}.port")
    yield from one_of(action, "scheme", path, ("HTTP", "HTTPS"))
    for index, header in enumerate(items(action, "httpHeaders")):
        yield from text(header.get("name") or "", f"{path}.httpHeaders[{index}].name", http_header_name)


def _tcp_socket(action: Object, path: str) -> Errors:
    yield from port_number_or_name(action.get("port") or 0, f"{path}.port")


def _sleep(action: Object, path: str) -> Errors:
    if (action.get("seconds") or 0) < 0:
        yield invalid(path, action["seconds"], "must be non-negative")


_HANDLER_CHECKS = {"exec": _exec, "httpGet": _http_get, "tcpSocket": _tcp_socket, "grpc": _tcp_socket, "sleep": _sleep}
