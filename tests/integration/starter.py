"""Starts kube-apiserver's stand-in for the Go tests, quickly: everything is imported once, and each start is a fork.

A client of the Unix socket writes one line of JSON, {"arguments": [...], "folder": its working directory, "log": a
file}. The process serves as long as the connection is open for writing; what is read from it is one line with the
exit status, at its end.
"""

import json
import os
import select
import signal
import socket
import sys
from pathlib import Path

PATIENCE = 20.0  # seconds that a process has for its end
LOOK = 0.1


def serve(listener: socket.socket) -> None:
    """Fork for each connection until a signal."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            watch_over(connection)
            os._exit(0)
        connection.close()


def watch_over(connection: socket.socket) -> None:
    """One kube-apiserver, in a fork of this process, until it ends or the other side has had enough of it."""
    with connection, connection.makefile("rb") as lines:
        line = lines.readline()
        if not line:
            return
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            connection.close()
            become(request)
        wanted = PATIENCE
        ending = False
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                break
            readable, _, _ = select.select([] if ending else [connection], [], [], LOOK)
            if readable:
                ending = True
                os.kill(child, signal.SIGTERM)
            elif ending:
                wanted -= LOOK
                if wanted < 0:
                    os.kill(child, signal.SIGKILL)
        try:
            connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        except OSError:
            return


def become(request: dict[str, object]) -> None:
    """Be the kube-apiserver. Does not return."""
    import gc

    from kybern.envtest.kube_apiserver import main

    status = 1
    try:
        log = os.open(str(request["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(log, number)
        os.chdir(str(request["folder"]))
        gc.freeze()
        arguments = request["arguments"]
        assert isinstance(arguments, list)
        status = main(arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def prepare() -> None:
    """Import what every start needs."""
    import kybern.apiserver.service
    import kybern.envtest.kube_apiserver
    import kybern.envtest.running
    import kybern.gateway.service
    import kybern.store.etcd  # noqa: F401
    from kybern.envtest.running import flag_names

    flag_names("apiserver")
    flag_names("gateway")


def main() -> None:
    """`starter.py SOCKET`."""
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    prepare()
    path = Path(sys.argv[1])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(64)
        serve(listener)


if __name__ == "__main__":
    main()
