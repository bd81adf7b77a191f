"""Wrong use and hosts that lack something: one sentence that says what to do, and nothing half-started."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kybern.pki.authority import open_ca
from kybern.testing.cluster import Cluster, Kubectl
from kybern.testing.cluster.traces_on_host import processes
from kybern.testing.cluster.waiting import until

Command = Callable[..., Any]
SIMULATED = ("--nodes", "0", "--simulated-nodes", "1", "--secure-port", "0")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def up(kybern: Command, folder: Path) -> Command:
    """`kybern up` that must fail in one sentence, leaving nothing running: the sentence."""

    def run(*flags: str, data: Path = folder / "c", code: int = 2, **more: Any) -> str:
        said = kybern("up", "--data-dir", str(data), *flags, **more)
        assert said.code == code, said.out + said.err
        assert not processes(data, containers=False)
        return str(said.sentence)

    return run


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--secure-port", "70000"), "--secure-port 70000 is not a port"),
        (("--nodes", "-1"), "--nodes cannot be negative"),
        (("--nodes", "99"), "does not fit on one host"),
        (("--store", "mysql://x"), "is neither sqlite:PATH nor etcd://HOST:PORT"),
        (("--store", "sqlite:"), "--store"),
        (("--store", "etcd://"), "--store"),
        (("--store", "etcd://nowhere"), "--store"),
        (("--runtime-endpoint", "/run/x.sock"), "must be a unix:// address"),
        (("--runtime-endpoint", "unix:///no/such.sock", "--nodes", "1"), "/no/such.sock"),
        (("--certificate-hours", "0"), "--certificate-hours"),
        (("--certificate-hours", "-3"), "--certificate-hours"),
        (("--bind-address", "not.an.ip"), "--bind-address"),
        (("--bind-address", "203.0.113.7"), "203.0.113.7"),
        (("--otlp-endpoint", "collector"), "--otlp-endpoint"),
    ],
)
def test_bad_flags(up: Command, flags: tuple[str, ...], words: str) -> None:
    assert words in up(*flags)


def test_unknown_flags_and_commands(kybern: Command, folder: Path) -> None:
    for arguments in (("up", "--nodez"), ("up", "--nodes", "many"), ("fly",), ()):
        said = kybern(*arguments, KYBERN_DATA_DIR=str(folder / "c"))
        assert said.code == 2
        assert said.err.startswith("usage: kybern")
    assert "waterfall" in kybern("--help").out


def test_taken_port(up: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = up("--nodes", "0", "--simulated-nodes", "1", "--secure-port", port)
    assert f"port {port} on 127.0.0.1 cannot be used (Address already in use)" in said


def test_nothing_to_ask(kybern: Command, folder: Path) -> None:
    data = ("--data-dir", str(folder / "none"))
    assert "there is no cluster on" in kybern("down", *data).sentence
    assert "start one with `kybern up" in kybern("status", *data).sentence
    assert "start one with `kybern up" in kybern("trace", "pod/x", *data).sentence
    (folder / "empty").mkdir()
    assert kybern("down", "--data-dir", str(folder / "empty")).code == 0


@pytest.mark.parametrize("text", ["{", "[]", '{"secure_port": "x"}', '{"nodes": {}}', "\0\0\0", '{"store": 7}'])
def test_broken_cluster_json(up: Command, folder: Path, text: str) -> None:
    data = folder / "c"
    data.mkdir()
    (data / "cluster.json").write_text(text)
    assert "cluster.json in the data dir cannot be read" in up(data=data)
    (data / "cluster.json").unlink()


def test_data_dir_is_a_file_or_closed(up: Command, folder: Path) -> None:
    (folder / "file").write_text("x")
    assert str(folder / "file") in up(*SIMULATED, data=folder / "file", code=1)
    assert str(folder / "file") in up(*SIMULATED, data=folder / "file" / "below", code=1)


@pytest.fixture
def nobody() -> tuple[str, ...]:
    """The start of a command that runs as nobody."""
    start = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if subprocess.run([*start, "test", "-r", __file__], check=False).returncode:
        pytest.skip("the project lies in a folder that not everybody may enter")
    return start


@needs_root
def test_data_dir_of_somebody_else(kybern: Command, folder: Path, nobody: tuple[str, ...]) -> None:
    os.chmod(folder, 0o711)
    (folder / "closed").mkdir(mode=0o700)
    said = kybern("up", "--data-dir", str(folder / "closed" / "c"), prefix=nobody, HOME="/nonexistent")
    assert "give a --data-dir of your own" in said.sentence
    assert said.code == 2


def test_store_of_a_newer_version(simulated: Cluster, kybern: Command) -> None:
    simulated.kybern("down")
    with sqlite3.connect(simulated.data_dir / "store" / "kybern.db") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    said = kybern("up", "--data-dir", str(simulated.data_dir))
    assert "was written by a newer Kybern" in said.sentence
    assert not processes(simulated.data_dir, containers=False)


def test_store_that_is_none(up: Command, folder: Path) -> None:
    (folder / "text.db").write_text("this is no database, and long enough to be sure of it" * 100)
    assert "text.db" in up(*SIMULATED, "--store", f"sqlite:{folder}/text.db", code=1)
    assert "no etcd member answers" in up(*SIMULATED, "--store", "etcd://127.0.0.1:1", code=1)


@pytest.mark.parametrize("name", ["ca.key", "ca.crt", "sa.key"])
def test_broken_keys(up: Command, folder: Path, name: str) -> None:
    pki = folder / "c" / "pki"
    open_ca(pki, datetime.now(UTC))
    (pki / name).write_text("no key")
    said = up(*SIMULATED)
    assert "cannot use the" in said
    assert str(pki) in said


def test_other_store_than_before(simulated: Cluster, kybern: Command) -> None:
    simulated.kybern("down")
    said = kybern("up", "--data-dir", str(simulated.data_dir), "--store", "etcd://127.0.0.1:1")
    assert "belongs to a cluster with the store" in said.sentence


def test_store_in_use(simulated: Cluster, up: Command) -> None:
    store = simulated.data_dir / "store" / "kybern.db"
    assert "in use" in up(*SIMULATED, "--store", f"sqlite:{store}", code=1)


def test_up_twice_and_stale_files(simulated: Cluster, kybern: Command) -> None:
    data = ("--data-dir", str(simulated.data_dir))
    assert "a cluster already runs on" in kybern("up", *data).sentence
    simulated.kybern("down")
    run = simulated.data_dir / "run"
    run.mkdir(exist_ok=True)
    (run / "status.json").write_text(json.dumps({"supervisor": 1, "processes": [{"name": "x"}]}))
    (run / "supervisor.lock").touch()
    (run / "apiserver.sock").touch()
    assert "start one with `kybern up" in kybern("status", *data).sentence
    simulated.kybern("up", timeout=60)
    assert simulated.works()
    simulated.kybern("down")
    simulated.kybern("down")


@pytest.mark.containerd
def test_second_cluster_with_nodes(container_cluster: Cluster, up: Command, folder: Path) -> None:
    said = up("--nodes", "1", "--secure-port", "0")
    assert f"already runs on this host, on {container_cluster.data_dir}" in said
    assert container_cluster.works()
    other = Cluster(folder / "sim")
    other.kybern("up", *SIMULATED, timeout=60)
    other.kybern("down", "--purge")
    assert container_cluster.works()


@needs_root
def test_missing_tools(kybern: Command, folder: Path, up: Command) -> None:
    hidden = folder / "hidden"
    hidden.touch(mode=0o644)
    hide = f'mount --bind {hidden} /usr/bin/containerd && mount --bind {hidden} /usr/bin/catatonit && exec "$@"'
    without = ("unshare", "--mount", "sh", "-c", hide, "sh")
    said = up("--nodes", "1", "--secure-port", "0", prefix=without)
    assert "apt-get install catatonit containerd" in said
    cluster = Cluster(folder / "s")
    done = kybern("up", "--data-dir", str(cluster.data_dir), "--secure-port", "0", prefix=without)
    assert done.code == 0, done.err
    assert "Nodes are simulated (no containers run): these packages are missing: catatonit containerd." in done.out
    cluster.kybern("down", "--purge")


@needs_root
def test_not_root(kybern: Command, folder: Path, nobody: tuple[str, ...], kubectl_binary: str) -> None:
    home = folder / "home"
    home.mkdir()
    os.chmod(folder, 0o755)
    os.chown(home, 65534, 65534)
    where = {"HOME": str(home), "XDG_DATA_HOME": "", "KYBERN_DATA_DIR": ""}
    done = kybern("up", "--secure-port", "0", prefix=nobody, cwd=home, **where)
    assert done.code == 0, done.err
    assert "Nodes are simulated (no containers run): you are not root." in done.out
    try:
        data = home / ".local/share/kybern"
        assert f"KUBECONFIG={data}/admin.kubeconfig" in done.out
        kubectl = Kubectl(kubectl_binary, data / "admin.kubeconfig", home)
        kubectl("create", "deployment", "hello", "--image=any")
        kubectl("wait", "--for=condition=Available", "deployment/hello", "--timeout=30s")
        refused = kybern("up", "--nodes", "1", prefix=nobody, **{**where, "HOME": str(folder / "home")})
        assert "run as root, or leave out --nodes" in refused.sentence
    finally:
        down = kybern("down", "--purge", prefix=nobody, **where)
    assert down.code == 0, down.err
    assert not data.exists()


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system with almost no room."""
    target = folder / "disk"
    target.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(target)], check=True)
    yield target
    subprocess.run(["umount", "-l", str(target)], check=True)


@needs_root
def test_full_disk(up: Command, small_disk: Path) -> None:
    said = up(*SIMULATED, data=small_disk / "c", code=1)
    assert "No space left on device" in said or "full" in said


@needs_root
def test_very_long_data_dir(kybern: Command, folder: Path) -> None:
    data = folder / "/".join(["d" * 60] * 4)
    done = kybern("up", *SIMULATED, "--data-dir", str(data))
    assert done.code == 0, done.err
    assert kybern("status", "--data-dir", str(data)).code == 0
    assert kybern("down", "--purge", "--data-dir", str(data)).code == 0
    assert not data.exists()
    assert not [path for path in Path("/tmp").glob("kybern-*") if path.is_dir() and (path / "supervisor.lock").exists()]


@needs_root
def test_long_data_dir_for_containers(up: Command, folder: Path) -> None:
    assert "too long" in up("--nodes", "1", "--secure-port", "0", data=folder / ("d" * 90))


@pytest.fixture
def lonely() -> Iterator[tuple[str, ...]]:
    """The start of a command that runs where there is only a loopback interface."""
    name = f"kybtest-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    yield ("ip", "netns", "exec", name)
    subprocess.run(["ip", "netns", "delete", name], check=True)


@needs_root
def test_without_a_network(kybern: Command, folder: Path, lonely: tuple[str, ...], kubectl_binary: str) -> None:
    data = ("--data-dir", str(folder / "s"))
    done = kybern("up", *SIMULATED, *data, prefix=lonely)
    assert done.code == 0, done.err
    environment = {**os.environ, "KUBECONFIG": str(folder / "s" / "admin.kubeconfig"), "HOME": str(folder)}
    line = [*lonely, kubectl_binary, "wait", "--for=condition=Ready", "node", "--all", "--timeout=20s"]
    assert subprocess.run(line, env=environment, check=False, capture_output=True).returncode == 0
    assert kybern("down", "--purge", *data, prefix=lonely).code == 0


@pytest.mark.containerd
@needs_root
def test_nodes_without_a_network(container_host: Any, up: Command, lonely: tuple[str, ...]) -> None:
    container_host.free()
    assert "no network" in up("--nodes", "1", "--secure-port", "0", prefix=lonely)


def test_foreground_ends_on_interrupt(folder: Path, kybern: Command) -> None:
    data = folder / "f"
    line = [sys.executable, "-m", "kybern.cli.main", "up", "--foreground", "--data-dir", str(data), *SIMULATED]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        until(lambda: kybern("status", "--data-dir", str(data)).code == 0, 40)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 128 + signal.SIGINT
    until(lambda: not processes(data, containers=False), 10)
    kybern("down", "--purge", "--data-dir", str(data))
