"""Conversion: one object in another version that its resource is served in.

Only two built-in resources have versions of different shape: HorizontalPodAutoscaler (autoscaling v1 and v2) and Event
(core and events.k8s.io). Everything else changes its `apiVersion` alone.
"""

from collections.abc import Callable
from typing import Any

from kybern.kube.schema import autoscaling

Object = dict[str, Any]

_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_EVENT_FIELDS_BACK = {new: old for old, new in _EVENT_FIELDS.items()}


def _rename(obj: Object, names: dict[str, str]) -> Object:
    return {names.get(key, key): value for key, value in obj.items()}


_CONVERSIONS: dict[tuple[str, str, str], Callable[[Object], Object]] = {
    ("Event", "v1", "events.k8s.io/v1"): lambda obj: _rename(obj, _EVENT_FIELDS),
    ("Event", "events.k8s.io/v1", "v1"): lambda obj: _rename(obj, _EVENT_FIELDS_BACK),
    ("HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2"): autoscaling.v1_to_v2,
    ("HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v1"): autoscaling.v2_to_v1,
}


def same_shape(kind: str, have: str, want: str) -> bool:
    """Whether a kind looks the same in two apiVersions, so that conversion changes `apiVersion` alone."""
    return have == want or (kind, have, want) not in _CONVERSIONS


def convert(obj: Object, api_version: str) -> Object:
    """`obj` in `api_version` (`autoscaling/v2`); the argument is not changed, but may share parts with the result."""
    have = obj.get("apiVersion", "")
    if have == api_version:
        return obj
    change = _CONVERSIONS.get((obj.get("kind", ""), have, api_version))
    return {**(change(obj) if change else obj), "apiVersion": api_version}
