"""Rows of configuration and access kinds: ConfigMap, Secret, ServiceAccount, RBAC, certificates, admission."""

from __future__ import annotations

from datetime import datetime, timedelta

from kybern.kube import duration, meta
from kybern.kube.meta import Object, name
from kybern.kube.tables.cells import NONE, UNSET, Cells, Printer, age, spec, status


def name_and_age_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), age(obj, now)]


def name_and_created_cells(obj: Object, now: datetime) -> Cells:
    """The row of a kind without a printer: the creation time itself, formatted by the client."""
    return [name(obj), meta.metadata(obj).get("creationTimestamp") or ""]


def config_map_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age(obj, now)]


def secret_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), obj.get("type") or "Opaque", len(obj.get("data") or ()), age(obj, now)]


def role_binding_cells(obj: Object, now: datetime) -> Cells:
    role, subjects = obj.get("roleRef") or {}, obj.get("subjects") or []
    users = [s["name"] for s in subjects if s.get("kind") == "User"]
    groups = [s["name"] for s in subjects if s.get("kind") == "Group"]
    accounts = [f"{s.get('namespace', '')}/{s['name']}" for s in subjects if s.get("kind") == "ServiceAccount"]
    role_text = f"{role.get('kind', '')}/{role.get('name', '')}"
    return [name(obj), role_text, age(obj, now), ", ".join(users), ", ".join(groups), ", ".join(accounts)]


def certificate_signing_request_cells(obj: Object, now: datetime) -> Cells:
    seconds = spec(obj).get("expirationSeconds")
    return [
        name(obj),
        age(obj, now),
        spec(obj).get("signerName") or NONE,
        spec(obj).get("username", ""),
        NONE if seconds is None else duration.human(timedelta(seconds=seconds)),
        _request_condition(obj),
    ]


def _request_condition(request: Object) -> str:
    held = {c.get("type") for c in status(request).get("conditions") or ()}
    words = ["Denied" if "Denied" in held else "Approved" if "Approved" in held else "Pending"]
    if "Failed" in held:
        words.append("Failed")
    if status(request).get("certificate"):
        words.append("Issued")
    return ",".join(words)


def webhook_configuration_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), len(obj.get("webhooks") or ()), age(obj, now)]


def admission_policy_cells(list_field: str) -> Printer:
    """Rows of a ValidatingAdmissionPolicy ("validations") or MutatingAdmissionPolicy ("mutations")."""

    def cells(obj: Object, now: datetime) -> Cells:
        param = spec(obj).get("paramKind")
        shown = f"{param.get('apiVersion', '')}/{param.get('kind', '')}" if param else UNSET
        return [name(obj), len(spec(obj).get(list_field) or ()), shown, age(obj, now)]

    return cells


def admission_policy_binding_cells(obj: Object, now: datetime) -> Cells:
    param = spec(obj).get("paramRef")
    shown = UNSET
    if param:
        shown = f"{param.get('namespace') or '*'}/{param.get('name') or '*'}"
    return [name(obj), spec(obj).get("policyName", ""), shown, age(obj, now)]
