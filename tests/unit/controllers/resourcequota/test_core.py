"""The status of a ResourceQuota, from what is there."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.controllers.resourcequota.core import compute_status

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRETS = {("", "secrets"): [{}, {}]}


@pytest.mark.parametrize(
    ("hard", "status", "expected"),
    [
        pytest.param({"secrets": "5"}, None, {"hard": {"secrets": "5"}, "used": {"secrets": "2"}}, id="new"),
        pytest.param(
            {"secrets": "5"}, {"hard": {"secrets": "5"}, "used": {"secrets": "2"}}, None, id="as it should be"
        ),
        pytest.param(
            {"secrets": "5"},
            {"hard": {"secrets": "4"}, "used": {"secrets": "2"}},
            {"hard": {"secrets": "5"}, "used": {"secrets": "2"}},
            id="another limit",
        ),
        pytest.param(
            {"secrets": "5"},
            {"hard": {"secrets": "5"}, "used": {"secrets": "3"}},
            {"hard": {"secrets": "5"}, "used": {"secrets": "2"}},
            id="counted wrong",
        ),
        pytest.param(
            {"secrets": "5", "count/widgets.example.com": "1"},
            {"hard": {"secrets": "5"}, "used": {"pods": "7", "count/widgets.example.com": "1", "secrets": "2"}},
            {
                "hard": {"count/widgets.example.com": "1", "secrets": "5"},
                "used": {"count/widgets.example.com": "1", "secrets": "2"},
            },
            id="what cannot be counted is kept, what is not limited is dropped",
        ),
        pytest.param({}, None, {"hard": {}, "used": {}}, id="nothing limited"),
    ],
)
def test_compute_status(hard: Any, status: Any, expected: Any) -> None:
    quota = {"spec": {"hard": hard}, **({"status": status} if status else {})}
    assert compute_status(quota, lambda group, resource: SECRETS.get((group, resource)), NOW) == expected
