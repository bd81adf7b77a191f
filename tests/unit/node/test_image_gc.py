"""Which images stay whatever the disk says."""

import pytest

from kybern.node.image_gc import is_pause


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        ("example.com/pause:3.10", True),
        ("localhost/kybern/pause:latest", True),
        ("example.com/pause/web:1", False),
        ("example.com/pause-service:1", False),
    ],
)
def test_pause(tag: str, kept: bool) -> None:
    assert is_pause(tag) is kept
