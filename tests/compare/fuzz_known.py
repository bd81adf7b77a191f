"""What the fuzzer leaves out of its comparison: what docs/conformance.md says of, and what Go puts in any order."""

import itertools
import json
import re
from typing import Any

from same import differences

OWN = re.compile(rb"X509SHA256=[0-9a-f]+|kube-apiserver(-1\.36)?\b")  # certificates of clients; the name of the program
EMPTY = re.compile(r"\{\}|\[\]")  # is shown as null
UNLIKE = re.compile(
    r"line \d+: |\"\d+-x|yaml: (did not|found).*|record \(\d+\)|resourceVersion:\d+", re.IGNORECASE
)  # lines of broken YAML, versions
PATCHED = re.compile(r'(patch: Invalid value: ")\{.*|(patch: Invalid value: "map\[.*\]": ).*', re.DOTALL)
RAW = ("DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ControllerRevision")
ADDRESS = re.compile(r"10\.96\.\d+\.\d+|\d+s\b")  # of Services, and ages, in tables


def compared(kube: Any, kybern: Any) -> list[str]:
    """How two answers differ, but for what is known."""
    if not isinstance(kube["body"], dict) or not isinstance(kybern["body"], dict):
        return differences(kube, kybern)
    if kube["status"] == 500:  # bad input is never a failure of the server
        kube["status"] = kube["body"]["code"] = 400
    _sort_warnings(kube, kybern)
    if _is_raw(kube["body"]) or _is_raw(kybern["body"]):
        return []
    if (
        kybern["body"].get("message", "").endswith("not found")
        and kube["body"].get("details", {}).get("kind") == "Service"
    ):
        return []  # a status makes no Service
    if kube["body"].get("kind") == "Job" and not kube["body"]["metadata"]:  # a dry run of a deletion that shows nothing
        return []
    if kube["status"] == kybern["status"] >= 400:
        if _is_random(kube["body"]["message"]):
            return []
        kube, kybern = ({**each, "body": _settled(each["body"])} for each in (kube, kybern))
    else:
        for each in (kube, kybern):
            _order_managers(each["body"])
    return [line for line in differences(kube, kybern) if not _is_known(line, kube["body"])]


def _sort_warnings(*answers: Any) -> None:
    """What a JSON patch copies has its members in the order of Go's structs, and so have the warnings of them."""
    for answer in answers:
        if "unknown field" in (warnings := answer["headers"].get("warning", "")):
            answer["headers"]["warning"] = ", ".join(sorted(warnings.split(", ")))


def _is_known(line: str, body: Any) -> bool:
    """Whether a difference is one of those that stay."""
    path = line.partition(":\n")[0]
    if ".time" in path:  # an apply that changes nothing
        return True
    if path.endswith(".metadata.generation") or ".metadata.managedFields" in path:  # raw JSON is compared by the byte
        return body.get("kind") in RAW
    if path.startswith(".body.rows[0].cells[") and len(set(ADDRESS.sub("", line).split(": "))) < 4:
        return bool(ADDRESS.search(line))
    return path == ".headers.warning" and "Endpoints is deprecated" in line  # and in no form that there is


def _order_managers(body: Any) -> None:
    """Managers by their names: those of the same time are, and times differ."""
    managers = (body.get("metadata") or {}).get("managedFields")
    if managers:
        managers.sort(key=lambda entry: json.dumps({**entry, "time": None, "fieldsV1": None}, sort_keys=True))


def _is_raw(body: Any) -> bool:
    """The data of a revision may not change by a byte, and is shown as it was sent."""
    return (
        body.get("kind") == "Status"
        and "ControllerRevision" in body.get("message", "")
        and " data: " in body["message"]
    )


def _is_random(message: str) -> bool:
    """Go goes through maps in any order, and stops at the first that it does not know."""
    told = ("field not declared in schema", "list element types are not identical", "api field in struct RawExtension")
    return any(words in message for words in told)


def _plain(value: Any) -> Any:
    """Texts without what differs on purpose."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return PATCHED.sub(r"\1\2", UNLIKE.sub("N", EMPTY.sub("null", value))) if isinstance(value, str) else value


def _settled(body: Any) -> Any:
    """A refusal whose causes that come of one map are in order, with one order of lines."""
    body = _plain(body)
    message, causes = body["message"], body.get("details", {}).get("causes")
    if (
        causes and causes[0]["field"] == "patch"
    ):  # the message says it too; which of several errors is the order of Go's structs
        return {**body, "details": None}
    if " errors:\n" in message:
        head, *lines = message.split("\n")
        return {**body, "message": "\n".join((head, *sorted(lines)))}
    if not causes or len(causes) < 2:
        return body
    groups = itertools.groupby(causes, lambda cause: re.sub(r"\[[^\[\]]*\]$", "", cause["field"]))
    if (
        body["reason"] == "Conflict" or body["details"].get("group") == "fuzz.example.com"
    ):  # managers, members of schemas
        ordered = sorted(causes, key=json.dumps)
    else:
        ordered = [cause for _, group in groups for cause in sorted(group, key=json.dumps)]
    return {**body, "message": message.partition(" is invalid: ")[0], "details": {**body["details"], "causes": ordered}}
