"""…/proxy of pods, services and nodes: authorized, then refused; this gateway forwards no HTTP into the cluster."""

from __future__ import annotations

from typing import NoReturn

from kybern.gateway.api import Api
from kybern.gateway.handlers.connect import connect
from kybern.gateway.handlers.target import Target
from kybern.gateway.http.message import Request
from kybern.kube.status import status_error


async def proxy(api: Api, request: Request, target: Target) -> NoReturn:
    """Always raises StatusError: 501, unless the apiserver has a reason of its own to refuse."""
    await connect(api, request, target, target.verb)
    raise status_error(501, "NotImplemented", "the proxy subresource is not served")
