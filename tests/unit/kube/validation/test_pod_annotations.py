"""Security profiles in annotations of pods: well-formed, the same as the fields, and copied to them."""

from typing import Any

import pytest

from kybern.kube.validation.pod_annotations import (
    APP_ARMOR,
    SECCOMP_CONTAINER,
    SECCOMP_POD,
    copy_app_armor,
    validate_profile_annotations,
)

RUNTIME = {"type": "RuntimeDefault"}


def pod(annotations: dict[str, str], **context: Any) -> dict[str, Any]:
    containers = [{"name": "c", **({"securityContext": context} if context else {})}]
    return {"metadata": {"annotations": annotations}, "spec": {"containers": containers}}


@pytest.mark.parametrize(
    ("annotations", "context", "wanted"),
    [
        ({SECCOMP_POD: "docker/default", SECCOMP_CONTAINER + "c": "localhost/a"}, {}, []),
        (
            {SECCOMP_POD: "bad"},
            {},
            [f'metadata.annotations.{SECCOMP_POD}: Invalid value: "bad": must be a valid seccomp profile'],
        ),
        (
            {SECCOMP_POD: "localhost//x"},
            {},
            [f'metadata.annotations.{SECCOMP_POD}: Invalid value: "/x": must be a relative path'],
        ),
        (
            {APP_ARMOR + "c": "bad"},
            {},
            [f'metadata.annotations[{APP_ARMOR}c]: Invalid value: "bad": invalid AppArmor profile name: "bad"'],
        ),
        (
            {APP_ARMOR + "c": "unconfined"},
            {"appArmorProfile": RUNTIME},
            ["spec.containers[0].securityContext.appArmorProfile.type: Forbidden: "
             "apparmor type in annotation and field must match"],
        ),
    ],
)  # fmt: skip
def test_annotations(annotations: dict[str, str], context: dict[str, Any], wanted: list[str]) -> None:
    given = pod(annotations, **context)
    problems = validate_profile_annotations(given["metadata"], given["spec"], "metadata", "spec")
    assert [str(problem) for problem in problems] == wanted


@pytest.mark.parametrize(
    ("annotations", "context", "wanted"),
    [
        ({APP_ARMOR + "c": "runtime/default"}, {}, RUNTIME),
        ({APP_ARMOR + "c": "localhost/p"}, {}, {"type": "Localhost", "localhostProfile": "p"}),
        ({APP_ARMOR + "c": "unconfined"}, {"appArmorProfile": RUNTIME}, RUNTIME),
        ({APP_ARMOR + "d": "unconfined"}, {}, None),
    ],
)
def test_copies(annotations: dict[str, str], context: dict[str, Any], wanted: dict[str, str] | None) -> None:
    given = pod(annotations, **context)
    copy_app_armor(given)
    assert given["spec"]["containers"][0].get("securityContext", {}).get("appArmorProfile") == wanted
