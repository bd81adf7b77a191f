"""What `kybern trace` is asked about."""

import pytest

from kybern.cli.core.options import UsageError
from kybern.cli.trace import parse_object


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pod/web-1", ("pods", "web-1")),
        ("po/web-1", ("pods", "web-1")),
        ("Deployment/web", ("deployments", "web")),
        ("sts/db", ("statefulsets", "db")),
        ("jobs/once", ("jobs", "once")),
        ("widgets/mine", ("widgets", "mine")),
        ("trace/0af7651916cd43dd8448eb211c80319c", ("trace", "0af7651916cd43dd8448eb211c80319c")),
    ],
)
def test_kinds(text: str, expected: tuple[str, str]) -> None:
    assert parse_object(text) == expected


@pytest.mark.parametrize("text", ["web", "pod/", "/web", ""])
def test_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not KIND/NAME"):
        parse_object(text)
