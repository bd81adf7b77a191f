"""Access reviews: which field errors a spec has."""

from typing import Any

import pytest

from kybern.kube.validation.reviews import validate_access_review

ASKED = {"verb": "get", "resource": "pods"}


def found(spec: dict[str, Any], *, subject: bool = False, local: bool = False, **metadata: str) -> list[str]:
    review = {"metadata": metadata, "spec": spec}
    return [f"{e.field}: {e.type.name}" for e in validate_access_review(review, subject=subject, local=local)]


def selecting(**selectors: Any) -> dict[str, Any]:
    return {"resourceAttributes": ASKED | selectors}


LABEL, FIELD = "spec.resourceAttributes.labelSelector", "spec.resourceAttributes.fieldSelector"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"resourceAttributes": ASKED}, [], id="a resource"),
        pytest.param({"nonResourceAttributes": {"path": "/x"}}, [], id="a path"),
        pytest.param({}, ["spec.resourceAttributes: INVALID"], id="neither"),
        pytest.param(
            {"resourceAttributes": ASKED, "nonResourceAttributes": {}},
            ["spec.nonResourceAttributes: INVALID"],
            id="both",
        ),
        pytest.param(selecting(labelSelector={}), [f"{LABEL}.requirements: REQUIRED"], id="an empty selector"),
        pytest.param(
            selecting(fieldSelector={"rawSelector": "a=b", "requirements": [{"key": "a", "operator": "Exists"}]}),
            [f"{FIELD}.rawSelector: INVALID"],
            id="two forms",
        ),
        pytest.param(
            selecting(fieldSelector={"requirements": [{"operator": "In"}]}),
            [f"{FIELD}.requirements[0].key: REQUIRED", f"{FIELD}.requirements[0].values: REQUIRED"],
            id="a field without key and values",
        ),
        pytest.param(
            selecting(labelSelector={"requirements": [{"key": "a b", "operator": "Exists", "values": ["c d"]}]}),
            [
                f"{LABEL}.requirements[0].values: FORBIDDEN",
                f"{LABEL}.requirements[0].key: INVALID",
                f"{LABEL}.requirements[0].values[0]: INVALID",
            ],
            id="a label with wrong names",
        ),
        pytest.param(
            selecting(labelSelector={"requirements": [{"key": "a", "operator": "Near", "values": ["b"]}]}),
            [],
            id="an operator of newer clients",
        ),
    ],
)
def test_specs(spec: dict[str, Any], expected: list[str]) -> None:
    assert found(spec) == expected


def test_subjects_and_metadata() -> None:
    asked = {"resourceAttributes": ASKED | {"namespace": "here"}}
    assert found(asked, subject=True) == ["spec.user: INVALID"]
    assert found(asked | {"groups": ["g"]}, subject=True) == []
    assert found(asked, name="x") == ["metadata: INVALID"]
    assert found(asked, local=True, namespace="here") == []
    assert found(asked, local=True, namespace="there") == ["spec.resourceAttributes.namespace: INVALID"]
