"""Namespaces: their content goes before they do; `finalize` says which finalizers of spec are left."""

from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy


def prepare_update(request: Request, new: Object, old: Object) -> None:
    """spec.finalizers change by the finalize subresource only."""
    new["spec"] = {**(new.get("spec") or {}), "finalizers": (old.get("spec") or {}).get("finalizers") or []}
    if not new["spec"]["finalizers"]:
        del new["spec"]["finalizers"]


def finalize(request: Request, new: Object, old: Object) -> None:
    """Only spec.finalizers may change."""
    if "status" in old:
        new["status"] = old["status"]
    new["spec"] = dict(new.get("spec") or {})
    if not new["spec"].get("finalizers"):
        new["spec"].pop("finalizers", None)


def status_update(request: Request, new: Object, old: Object) -> None:
    """Without a phase a namespace is active."""
    if not (new.get("status") or {}).get("phase"):
        new["status"] = {**(new.get("status") or {}), "phase": "Active"}


NAMESPACES = Strategy(
    prepare_update=(prepare_update,),
    status_update=(status_update,),
    updates={"finalize": finalize},
    returns_deleted=True,
)
