"""Status errors carry exactly the code, reason, message and details a client of Kubernetes sees."""

from typing import Any

import pytest

from kybern.kube import field, status


@pytest.mark.parametrize(
    ("error", "code", "reason", "message", "details"),
    [
        (status.not_found("", "pods", "x"), 404, "NotFound", 'pods "x" not found', {"name": "x", "kind": "pods"}),
        (
            status.not_found("apps", "deployments", "x"), 404, "NotFound", 'deployments.apps "x" not found',
            {"name": "x", "group": "apps", "kind": "deployments"},
        ),
        (
            status.already_exists("", "pods", "x"), 409, "AlreadyExists", 'pods "x" already exists',
            {"name": "x", "kind": "pods"},
        ),
        (
            status.conflict("", "pods", "x"), 409, "Conflict",
            'Operation cannot be fulfilled on pods "x": the object has been modified; please apply your changes to the '
            "latest version and try again",
            {"name": "x", "kind": "pods"},
        ),
        (
            status.forbidden("", "pods", "", "no"), 403, "Forbidden", "pods is forbidden: no", {"kind": "pods"},
        ),
        (
            status.forbidden("apps", "deployments", "x", "no"), 403, "Forbidden",
            'deployments.apps "x" is forbidden: no', {"name": "x", "group": "apps", "kind": "deployments"},
        ),
        (status.unauthorized(), 401, "Unauthorized", "Unauthorized", None),
        (status.bad_request("why"), 400, "BadRequest", "why", None),
        (status.expired("too old"), 410, "Expired", "too old", None),
        (status.gone("gone"), 410, "Gone", "gone", None),
        (
            status.too_many_requests("slow down", 5), 429, "TooManyRequests", "slow down", {"retryAfterSeconds": 5},
        ),
        (
            status.internal("boom"), 500, "InternalError", "Internal error occurred: boom",
            {"causes": [{"message": "boom"}]},
        ),
        (status.timeout("late", 1), 504, "Timeout", "Timeout: late", {"retryAfterSeconds": 1}),
        (
            status.method_not_allowed("", "pods", "create"), 405, "MethodNotAllowed",
            'create is not supported on resources of kind "pods"', {"kind": "pods"},
        ),
        (status.request_entity_too_large("3 MB"), 413, "RequestEntityTooLarge", "Request entity too large: 3 MB", None),
        (
            status.unknown_resource(), 404, "NotFound", "the server could not find the requested resource", {},
        ),
    ],
)  # fmt: skip
def test_constructors(
    error: status.StatusError, code: int, reason: str, message: str, details: dict[str, Any] | None
) -> None:
    assert (error.code, error.reason, error.message) == (code, reason, message)
    assert error.status.get("details") == details
    assert error.status["kind"] == "Status"
    assert error.status["status"] == "Failure"
    assert str(error) == message


def test_invalid_lists_every_error_and_its_cause() -> None:
    errors = [field.required("spec.a"), field.invalid("spec.b", 1, "must be 2"), field.required("spec.a")]
    error = status.invalid("apps", "Deployment", "x", errors)
    assert (
        error.message == 'Deployment.apps "x" is invalid: [spec.a: Required value, spec.b: Invalid value: 1: must be 2]'
    )
    assert error.details["kind"] == "Deployment"
    assert error.details["causes"][1] == {
        "reason": "FieldValueInvalid", "message": "Invalid value: 1: must be 2", "field": "spec.b",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (field.required("a"), "a: Required value"),
        (field.required("a", "why"), "a: Required value: why"),
        (field.invalid("a", "x", "why"), 'a: Invalid value: "x": why'),
        (field.invalid("a", True, "why"), "a: Invalid value: true: why"),
        (field.invalid("a", None, "why"), "a: Invalid value: null: why"),
        (field.invalid("a", {"b": 1, "a": []}, "why"), 'a: Invalid value: {"a":[],"b":1}: why'),
        (field.duplicate("a", "x"), 'a: Duplicate value: "x"'),
        (field.not_found("a", "x"), 'a: Not found: "x"'),
        (field.forbidden("a", "why"), "a: Forbidden: why"),
        (field.not_supported("a", "x", ["C", "B"]), 'a: Unsupported value: "x": supported values: "B", "C"'),
        (field.not_supported("a", "x", []), 'a: Unsupported value: "x"'),
        (field.too_long("a", 3), "a: Too long: may not be more than 3 bytes"),
        (field.too_many("a", 3, 2), "a: Too many: 3: must have at most 2 items"),
    ],
)
def test_field_errors_in_words(error: field.FieldError, text: str) -> None:
    assert str(error) == text


def test_success_has_no_reason() -> None:
    assert status.success(name="x") == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": {"name": "x"},
    }  # fmt: skip


@pytest.mark.parametrize(("code", "raised"), [(404, False), (409, False), (403, True)])
def test_what_may_be_gone(code: int, raised: bool) -> None:
    refused = False
    try:
        with status.allowing(404, 409):
            raise status.status_error(code, "", "no")
    except status.StatusError:
        refused = True
    assert refused is raised
