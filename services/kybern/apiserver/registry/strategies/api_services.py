"""APIServices: one that this apiserver answers itself is available from its creation on."""

from kybern.apiserver.core.api_services import LOCAL, decide_status
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy


def begin(request: Request, obj: Object) -> None:
    """The first status."""
    obj["status"] = {}
    if not (obj.get("spec") or {}).get("service"):
        obj["status"] = decide_status({}, LOCAL, request.now)


API_SERVICES = Strategy(prepare_create=(begin,), unconditional_update=False)
