"""What kubectl streams from containers: logs, exec, attach, port-forward, cp."""

import hashlib
import os
import pty
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kybern.testing.cluster import Kubectl
from kybern.testing.cluster.manifests import Object, container, pod, web_container
from kybern.testing.cluster.waiting import fetch, until

pytestmark = pytest.mark.containerd


@pytest.fixture
def sleeper(kubectl: Kubectl) -> Kubectl:
    """A running pod `box`."""
    kubectl.send("apply", pod("box"))
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    return kubectl


@contextmanager
def started(kubectl: Kubectl, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A kubectl that runs in the background."""
    pipe = subprocess.PIPE
    line = kubectl.command(*arguments)
    with subprocess.Popen(line, env=kubectl.environment(), stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_logs(kubectl: Kubectl) -> None:
    counting = "for i in 1 2 3 4 5; do echo line $i; done; sleep 1.5; echo end"
    kubectl.send("apply", pod("count", container(counting), restartPolicy="Never"))
    until(lambda: "line 5" in kubectl("logs", "count"))
    assert kubectl("logs", "count", "--tail=2").splitlines()[0] == "line 4"
    assert kubectl("logs", "-f", "count").splitlines() == [*(f"line {i}" for i in range(1, 6)), "end"]
    assert len(kubectl("logs", "count", "--limit-bytes=6")) == 6
    first = kubectl("logs", "count", "--timestamps").splitlines()[0]
    assert first.endswith("Z line 1")
    assert kubectl("logs", "count", "--since-time=2100-01-01T00:00:00Z") == ""


def test_logs_of_many_containers(kubectl: Kubectl) -> None:
    pair = (container("echo from a; sleep 3600", "a"), container("echo from b; sleep 3600", "b"))
    kubectl.send("apply", pod("pair", *pair))
    kubectl("wait", "--for=condition=Ready", "pod/pair", "--timeout=30s")
    assert kubectl("logs", "pair", "-c", "b") == "from b"
    both = until(lambda: kubectl("logs", "pair", "--all-containers", "--prefix"))
    assert set(both.splitlines()) == {"[pod/pair/a] from a", "[pod/pair/b] from b"}
    assert "not valid for pod" in kubectl.error("logs", "pair", "-c", "nothing")


def test_previous_logs_after_a_crash(kubectl: Kubectl) -> None:
    script = "test -e /keep/again && { echo second; sleep 3600; }; touch /keep/again; echo first; exit 7"
    mount: Object = {"volumeMounts": [{"name": "keep", "mountPath": "/keep"}]}
    kubectl.send("apply", pod("crash", container(script, **mount), volumes=[{"name": "keep", "emptyDir": {}}]))
    kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/crash", "--timeout=30s")
    until(lambda: kubectl("logs", "crash") == "second")
    assert kubectl("logs", "crash", "--previous") == "first"
    status = kubectl.json("get", "pod", "crash")["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 7
    assert status["lastState"]["terminated"]["reason"] == "Error"


def test_exec(sleeper: Kubectl) -> None:
    assert sleeper("exec", "box", "--", "echo", "a  b") == "a  b"
    assert sleeper("exec", "-i", "box", "--", "cat", stdin="through standard input\n") == "through standard input"
    assert sleeper.run("exec", "box", "--", "sh", "-c", "exit 42").code == 42
    failed = sleeper.run("exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 1")
    assert (failed.out, failed.err.splitlines()[0]) == ("out\n", "err")
    missing = sleeper.run("exec", "box", "--", "/no/such/program")
    assert missing.code != 0
    assert "no such file" in missing.err
    big = "x" * 3_000_000
    assert sleeper("exec", "-i", "box", "--", "wc", "-c", stdin=big) == str(len(big))
    assert 'pods "ghost" not found' in sleeper.error("exec", "ghost", "--", "true")


def test_exec_with_a_terminal(sleeper: Kubectl) -> None:
    main, side = pty.openpty()
    line = sleeper.command("exec", "-it", "box", "--", "sh")
    with subprocess.Popen(line, env=sleeper.environment(TERM="dumb"), stdin=side, stdout=side, stderr=side) as process:
        os.close(side)
        seen = b""

        def read(what: bytes) -> None:
            nonlocal seen
            end = time.monotonic() + 15
            while what not in seen and time.monotonic() < end:
                try:
                    seen += os.read(main, 4096)
                except OSError:
                    break
            assert what in seen, seen

        read(b"# ")
        os.write(main, b"tty; echo $((6 * 7))\n")
        read(b"\r\n42\r\n")
        assert b"/dev/pts/" in seen
        os.write(main, b"exit 3\n")
        assert process.wait(10) == 3
    os.close(main)


def test_attach(kubectl: Kubectl) -> None:
    echo = container("while read line; do echo got $line; done", stdin=True)
    kubectl.send("apply", pod("reader", echo, restartPolicy="Never"))
    kubectl("wait", "--for=condition=Ready", "pod/reader", "--timeout=30s")
    with started(kubectl, "attach", "-i", "reader") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("hello\n")
        process.stdin.flush()
        assert process.stdout.readline() == "got hello\n"
    until(lambda: kubectl("logs", "reader") == "got hello")


def test_run_and_attach_gives_output_and_goes(kubectl: Kubectl) -> None:
    line = ("run", "once", "--image=kybern/busybox:1", "--restart=Never", "--rm", "-i", "--command", "--")
    out = kubectl(*line, "sh", "-c", "read word; echo said $word", stdin="yes\n")
    assert "said yes" in out
    kubectl("wait", "--for=delete", "pod/once", "--timeout=10s")


def test_port_forward(kubectl: Kubectl) -> None:
    kubectl.send("apply", pod("web", web_container()))
    kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=30s")
    with started(kubectl, "port-forward", "pod/web", ":8080") as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split("127.0.0.1:")[1].split()[0])
        assert [fetch(f"http://127.0.0.1:{port}/") for _ in range(5)] == ["web"] * 5
        connections = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(3)]
        for connection in connections:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert all(b"200 OK" in connection.recv(4096) for connection in connections)
        for connection in connections:
            connection.close()


def test_copy_there_and_back(sleeper: Kubectl, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.mkdir()
    (there / "big").write_bytes(os.urandom(2_000_000))
    (there / "small").write_text("text\n")
    sleeper("cp", str(there), "box:/tmp/copy")
    digest = hashlib.sha256((there / "big").read_bytes()).hexdigest()
    assert sleeper("exec", "box", "--", "sha256sum", "/tmp/copy/big").split()[0] == digest
    sleeper("cp", "box:/tmp/copy", str(back))
    assert {path.name: path.read_bytes() for path in back.iterdir()} == {
        path.name: path.read_bytes() for path in there.iterdir()
    }
