"""CONNECT: what a connection to a pod, service or node asks for, as the options object that admission sees."""

from typing import Any
from urllib.parse import parse_qs

from kybern.apiserver.core.proxy_names import port_of
from kybern.apiserver.registry.request import Request

Object = dict[str, Any]
STREAMS = ("stdin", "stdout", "stderr", "tty")
BOOLEANS = {"exec": STREAMS, "attach": STREAMS}
TEXTS = {"exec": ("container",), "attach": ("container",), "proxy": ("path",)}
LISTS = {"exec": ("command",)}


def options_of(request: Request, query: str) -> Object:
    """PodExecOptions, PodAttachOptions, PodPortForwardOptions or …ProxyOptions from the URL's query."""
    subresource = request.subresource
    kind = request.served.info.subresources[subresource].kind
    given, found = parse_qs(query, keep_blank_values=True), dict[str, Any](kind=kind, apiVersion="v1")
    for name in BOOLEANS.get(subresource, ()):
        if name in given and given[name][0].lower() not in ("false", "0"):
            found[name] = True
    for name in TEXTS.get(subresource, ()):
        if given.get(name, [""])[0]:
            found[name] = given[name][0]
    for name in LISTS.get(subresource, ()):
        if given.get(name):
            found[name] = given[name]
    if subresource == "portforward" and given.get("ports"):
        found["ports"] = [port for value in given["ports"] for part in value.split(",") if (port := port_of(part))]
    return found


def has_dry_run(query: str) -> bool:
    """Whether a connection is to be made but not used: there is no such thing."""
    return "dryRun" in query and "dryRun" in parse_qs(query, keep_blank_values=True)


async def admit(request: Request, query: str) -> Object:
    """The options as admission lets them pass. Raises StatusError."""
    options, admission = options_of(request, query), request.server.admission
    await admission.mutate(request, "CONNECT", options, None)
    await admission.validate(request, "CONNECT", options, None)
    return options
