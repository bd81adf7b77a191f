"""Names of custom resources and the order of their versions."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.apiserver.crd.definition import version_order
from kybern.apiserver.crd.names import decide_status, judge_approval

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)


def crd(plural: str, kind: str, group: str = "example.com", **names: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": {"plural": plural, "kind": kind, **names}},
    }


def accepted(obj: dict[str, Any], *others: dict[str, Any], now: datetime = NOW) -> dict[str, Any]:
    return {**obj, "status": decide_status(obj, others, now)}


def said(obj: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["message"]) for one in obj["status"]["conditions"]}


def test_free_names() -> None:
    found = accepted(crd("tabs", "Tab", shortNames=["t"]))
    assert found["status"]["acceptedNames"] == {"kind": "Tab", "plural": "tabs", "shortNames": ["t"]}
    assert said(found)["Established"] == ("True", "the initial names have been accepted")


def test_names_of_another_group_are_free() -> None:
    other = accepted(crd("tabs", "Tab", group="example.org"))
    assert said(accepted(crd("tabs", "Tab"), other))["NamesAccepted"][0] == "True"


def test_taken_names_are_left_out() -> None:
    found = accepted(crd("tables", "Table", shortNames=["t"]), accepted(crd("tabs", "Tab", shortNames=["t"])))
    assert found["status"]["acceptedNames"] == {"kind": "Table", "plural": "tables"}
    assert said(found) == {
        "NamesAccepted": ("False", '"t" is already in use'),
        "Established": ("False", "not all names are accepted"),
    }


def test_what_is_established_stays_so() -> None:
    found = accepted(crd("tables", "Table"))
    found["spec"]["names"]["shortNames"] = ["t"]
    found = accepted(found, accepted(crd("tabs", "Tab", shortNames=["t"])), now=LATER)
    assert (said(found)["NamesAccepted"][0], said(found)["Established"][0]) == ("False", "True")
    times = {one["type"]: one["lastTransitionTime"] for one in found["status"]["conditions"]}
    assert times == {"NamesAccepted": "2026-01-02T00:00:00Z", "Established": "2026-01-01T00:00:00Z"}


def test_deciding_twice_changes_nothing() -> None:
    found = accepted(crd("tabs", "Tab"))
    assert decide_status(found, [found], LATER) == found["status"]


def test_order_of_versions() -> None:
    given = ["v1alpha1", "foo", "v10", "v1beta1", "v2", "v11alpha2", "bar", "v1", "v2beta3"]
    expected = ["v10", "v2", "v1", "v2beta3", "v1beta1", "v11alpha2", "v1alpha1", "bar", "foo"]
    assert sorted(given, key=version_order) == expected


def test_a_condition_without_type_is_left_as_it_is() -> None:
    found = crd("tabs", "Tab") | {"status": {"conditions": [{"message": "somebody's own"}]}}
    assert accepted(found)["status"]["conditions"][0] == {"message": "somebody's own"}


APPROVALS = {
    "unapproved, x": ("False", "UnapprovedAnnotation", 'not approved: "unapproved, x"'),
    "https://x/y": ("True", "ApprovedAnnotation", "approved in https://x/y"),
    "nope": (
        "False",
        "InvalidAnnotation",
        'protected groups must have approval annotation "api-approved.kubernetes.io" with either a URL or a reason '
        'starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111',
    ),
    "": (
        "False",
        "MissingAnnotation",
        'protected groups must have approval annotation "api-approved.kubernetes.io", see '
        "https://github.com/kubernetes/enhancements/pull/1111",
    ),
}


@pytest.mark.parametrize("value", APPROVALS)
def test_groups_of_kubernetes_need_an_approval(value: str) -> None:
    given = crd("tabs", "Tab")
    assert judge_approval(given) is None
    given["spec"]["group"] = "x.k8s.io"
    given["metadata"]["annotations"] = {"api-approved.kubernetes.io": value}
    assert judge_approval(given) == APPROVALS[value]
