"""Rotation in a temporary directory."""

from pathlib import Path

from kybern.node.log_rotation import rotate, rotated_names


def test_rotation_keeps_five_files(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    for number in range(7):
        log.write_text("x" * 10 + str(number))
        assert not rotate(log, "never", max_bytes=100)
        assert rotate(log, f"2026-{number}", max_bytes=5)
        assert not log.exists()
    assert [path.name for path in rotated_names(log)] == [f"0.log.2026-{n}" for n in (3, 4, 5, 6)]
    assert not rotate(log, "missing", max_bytes=5)
