"""DaemonSets: the annotation that counts the generations of the template, as the API before apps/v1 did."""

from kybern.apiserver.registry.metadata import ordered
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object
from kybern.kube.defaults.workloads import TEMPLATE_GENERATION


def prepare_create(request: Request, new: Object) -> None:
    _annotate(new, 1)


def prepare_update(request: Request, new: Object, old: Object) -> None:
    count = _count(old)
    if (new.get("spec") or {}).get("template") != (old.get("spec") or {}).get("template"):
        count += 1
    _annotate(new, count)


def keep(request: Request, new: Object, old: Object) -> None:
    """A status counts nothing."""
    _annotate(new, _count(old))


def _count(obj: Object) -> int:
    text = (obj["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION) or ""
    return int(text) if text.isascii() and text.isdigit() else 1


def _annotate(obj: Object, count: int) -> None:
    annotations = {**(obj["metadata"].get("annotations") or {}), TEMPLATE_GENERATION: str(count)}
    obj["metadata"] = ordered({**obj["metadata"], "annotations": annotations})
