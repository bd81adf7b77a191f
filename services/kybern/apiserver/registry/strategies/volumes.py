"""PersistentVolumes and their claims: when a phase began; one source of a claim under both its names."""

from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy
from kybern.kube import meta
from kybern.kube.volume_warnings import claim_sizes, volume_warnings

_SNAPSHOTS = ("snapshot.storage.k8s.io", "VolumeSnapshot")
_CLASS = "volume.beta.kubernetes.io/storage-class"


def _start_phase(request: Request, volume: Object) -> None:
    volume["status"] = {**(volume.get("status") or {}), "lastPhaseTransitionTime": meta.format_time(request.now)}


def _time_phase(request: Request, new: Object, old: Object) -> None:
    """Who changes the phase may say when; otherwise it is now."""
    status, before = new.get("status") or {}, old.get("status") or {}
    given = status.get("lastPhaseTransitionTime")
    if status.get("phase") != before.get("phase") and given in (None, before.get("lastPhaseTransitionTime")):
        new["status"] = {**status, "lastPhaseTransitionTime": meta.format_time(request.now)}
    elif given is None and before.get("lastPhaseTransitionTime"):
        new["status"] = {**status, "lastPhaseTransitionTime": before["lastPhaseTransitionTime"]}


def _same_source(request: Request, claim: Object) -> None:
    """`dataSource` takes claims and snapshots alone; it and `dataSourceRef` say the same, unless of a namespace."""
    _agree(claim, any_kind=False)


def _keep_source(request: Request, new: Object, old: Object) -> None:
    """Of a claim that has a source another one is for validation to refuse; one of old has what it would be given."""
    was = old.get("spec") or {}
    if was.get("dataSource") is not None and was.get("dataSourceRef") is None:
        was["dataSourceRef"] = dict(was["dataSource"])
    if was:
        was.setdefault("volumeMode", "Filesystem")
    _agree(new, any_kind=(old.get("spec") or {}).get("dataSource") is not None)


def _agree(claim: Object, *, any_kind: bool) -> None:
    spec = dict(claim.get("spec") or {})
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and ref is None:
        kind = (source.get("apiGroup") or "", source.get("kind"))
        if any_kind or kind in (("", "PersistentVolumeClaim"), _SNAPSHOTS):
            spec["dataSourceRef"] = dict(source)
        else:
            del spec["dataSource"]
    elif ref is not None and source is None and not ref.get("namespace"):
        spec["dataSource"] = {name: value for name, value in ref.items() if name != "namespace"}
    claim["spec"] = spec


def claim_warnings(obj: Object, old: Object | None) -> list[str]:
    """An annotation that has become a field, and sizes that are no whole bytes."""
    found = []
    if _CLASS in (obj["metadata"].get("annotations") or {}):
        found.append(f'metadata.annotations[{_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead')
    return [*found, *claim_sizes(obj.get("spec") or {}, "spec")]


VOLUMES = Strategy(
    returns_deleted=True,
    prepare_create=(_start_phase,),
    status_update=(_time_phase,),
    warn=lambda new, old: volume_warnings(new),
)
CLAIMS = Strategy(
    returns_deleted=True, prepare_create=(_same_source,), prepare_update=(_keep_source,), warn=claim_warnings
)
