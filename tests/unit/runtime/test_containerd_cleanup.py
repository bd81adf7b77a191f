"""Which processes a node's cgroups hold."""

from pathlib import Path

import pytest

from kybern.runtime import containerd_cleanup


def test_processes_of_other_pid_namespaces_are_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containerd_cleanup, "CGROUPS", tmp_path)
    for name, text in (("a", "12\n0\n"), ("a/b", "0\n7\n"), ("c", "")):
        folder = tmp_path / "memory" / "kybern" / "node-1" / name
        folder.mkdir(parents=True)
        (folder / "cgroup.procs").write_text(text)
    assert containerd_cleanup.cgroup_processes("/kybern/node-1") == [7, 12]
