"""Container restart rules and policies."""

from typing import Any

import pytest

from kybern.kube.container_restarts import restarts_after


def rule(operator: str, *codes: int, action: str = "Restart") -> dict[str, Any]:
    return {"action": action, "exitCodes": {"operator": operator, "values": list(codes)}}


@pytest.mark.parametrize(
    ("pod", "own", "rules", "code", "expected"),
    [
        (None, None, [], 0, True),
        ("Never", None, [], 1, False),
        ("OnFailure", None, [], 0, False),
        ("OnFailure", None, [], 1, True),
        ("Never", "Always", [], 0, True),
        ("Always", "Never", [], 1, False),
        ("Always", "OnFailure", [], 0, False),
        ("Never", "Never", [rule("In", 42)], 42, True),
        ("Never", "Never", [rule("In", 42)], 1, False),
        ("Never", "Never", [rule("NotIn", 42)], 1, True),
        ("Never", "Never", [rule("NotIn", 42)], 42, False),
        ("Never", "Never", [rule("In", 1), rule("In", 42)], 42, True),
        ("Never", "Never", [rule("In", 42, action="RestartAllContainers"), rule("In", 42)], 42, False),
    ],
)
def test_restarts_after(pod: str | None, own: str | None, rules: list[Any], code: int, expected: bool) -> None:
    container = {"name": "c", "restartPolicy": own, "restartPolicyRules": rules}
    assert restarts_after({"restartPolicy": pod}, container, code) is expected
