"""Admission of what is POSTed but not stored: reviews, evictions, bindings, requests for tokens."""

from typing import Any

from kybern.apiserver.registry.request import Request

Object = dict[str, Any]


async def admit(request: Request, obj: Object) -> None:
    """Both phases; `obj` may be changed. Raises StatusError."""
    await request.server.admission.mutate(request, "CREATE", obj, None)
    await request.server.admission.validate(request, "CREATE", obj, None)
