"""Which files /logs shows."""

from pathlib import Path

import pytest

from kybern.gateway.handlers.host_logs import find, listing


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    (folder / "sub").mkdir(parents=True)
    (folder / "gateway.log").write_text("one\n")
    (folder / "a & b").write_text("")
    (tmp_path / "secret").write_text("no")
    (folder / "way-out").symlink_to(tmp_path / "secret")
    return folder


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/logs", ""),
        ("/logs/", ""),
        ("/logs/gateway.log", "gateway.log"),
        ("/logs/sub/", "sub"),
        ("/logs/gone", None),
        ("/logs/../secret", None),
        ("/logs/sub/../../secret", None),
        ("/logs//etc/passwd", None),
        ("/logs/way-out", None),
        ("/logs/\0", None),
    ],
)
def test_find(logs: Path, path: str, expected: str | None) -> None:
    assert find(logs, path) == (logs / expected if expected is not None else None)


def test_no_folder(tmp_path: Path) -> None:
    assert find(tmp_path / "gone", "/logs/") is None


def test_listing(logs: Path) -> None:
    page = listing(logs).decode()
    assert '<a href="a%20%26%20b">a &amp; b</a>' in page
    assert '<a href="sub/">sub/</a>' in page
