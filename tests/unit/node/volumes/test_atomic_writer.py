"""Atomic volume updates in a temporary directory."""

import os
from pathlib import Path

import pytest

from kybern.node.core.volumes import File, VolumeError, file_user
from kybern.node.volumes import atomic_writer, host


def test_write_and_replace(tmp_path: Path) -> None:
    volume = tmp_path / "v"
    assert atomic_writer.write(volume, {"a": File(b"1"), "d/e": File(b"2", 0o400)}, "t1")
    assert (volume / "a").read_bytes() == b"1"
    assert (volume / "d" / "e").stat().st_mode & 0o777 == 0o400
    assert os.readlink(volume / "a") == "..data/a"
    assert not atomic_writer.write(volume, {"a": File(b"1"), "d/e": File(b"2", 0o400)}, "t2")
    assert atomic_writer.write(volume, {"a": File(b"3")}, "t3")
    assert sorted(p.name for p in volume.iterdir()) == ["..data", "..t3", "a"]
    assert (volume / "a").read_bytes() == b"3"


def test_a_reader_sees_old_or_new_but_never_a_mixture(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, {"a": File(b"1"), "b": File(b"1")}, "t1")
    opened = os.open(tmp_path / "..data", os.O_DIRECTORY)
    atomic_writer.write(tmp_path, {"a": File(b"2"), "b": File(b"2")}, "t1")  # the same stamp twice
    assert {(tmp_path / name).read_bytes() for name in "ab"} == {b"2"}
    os.close(opened)


def test_group_may_read(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, {"a": File(b"1", 0o400)}, "t", group=os.getgid())
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o440


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_may_have_an_owner(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, {"a": File(b"1", 0o600, 1234), "b": File(b"1")}, "t")
    assert [(tmp_path / name).stat().st_uid for name in "ab"] == [1234, 0]


@pytest.mark.parametrize(
    ("pod", "containers", "expected"),
    [
        (None, [None], None),
        (7, [None, None], 7),
        (7, [None, 8], None),
        (None, [8, 8], 8),
        (None, [8, None], None),
        (7, [8], 8),
        (0, [None], 0),
    ],
)
def test_tokens_belong_to_the_one_user_of_all_containers(
    pod: int | None, containers: list[int | None], expected: int | None
) -> None:
    def context(user: int | None) -> dict[str, dict[str, int]]:
        return {} if user is None else {"securityContext": {"runAsUser": user}}

    spec = {"containers": [context(user) for user in containers], **context(pod)}
    assert file_user({"spec": spec}) == expected


def test_sub_path_stays_inside(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/etc")
    assert host.sub_path(tmp_path, "x/y").is_dir()
    for name in ("../z", "out", "out/passwd"):
        with pytest.raises(VolumeError, match="leads out"):
            host.sub_path(tmp_path, name)


@pytest.mark.parametrize(("type_", "exists"), [("Directory", False), ("File", True), ("Socket", True)])
def test_host_path_checks(tmp_path: Path, type_: str, exists: bool) -> None:
    with pytest.raises(VolumeError, match="hostPath type check failed"):
        host.check_host_path({"path": str(tmp_path if exists else tmp_path / "no"), "type": type_})


@pytest.mark.parametrize("type_", ["DirectoryOrCreate", "FileOrCreate", ""])
def test_host_path_is_made(tmp_path: Path, type_: str) -> None:
    path = tmp_path / "made"
    assert host.check_host_path({"path": str(path), "type": type_}) == path
    assert path.exists() == bool(type_)
