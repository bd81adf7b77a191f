"""What envtest starts as etcd: it answers health checks, and tells `kube_apiserver` where to keep its data.

It stores nothing itself: the data of a Kybern apiserver that is pointed at it is SQLite in its `--data-dir`.
"""

import json
import signal
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

PLACE = "/kybern/data-dir"  # the path at which it says where its data is
HELP = """Stands in for etcd below Kybern's kube-apiserver.

      --data-dir value
      --listen-client-urls value
      --listen-peer-urls value
      --unsafe-no-fsync
"""


class Handler(BaseHTTPRequestHandler):
    """`/health` as etcd has it, `/version`, and the folder of the data."""

    data_dir = ""

    def do_GET(self) -> None:
        """Any other path is 404."""
        known = {"/health": {"health": "true", "reason": ""}, PLACE: self.data_dir, "/version": {"etcdserver": "3.6.0"}}
        path = urlsplit(self.path).path
        body = json.dumps(known.get(path)).encode()
        self.send_response(200 if path in known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — its name where it comes from
        """Silent."""


def read(arguments: Sequence[str]) -> dict[str, str]:
    """Flags by name; any are taken, with a value or without."""
    found, name = dict[str, str](), ""
    for argument in arguments:
        if argument.startswith("-"):
            name, _, found[name] = argument.lstrip("-").partition("=")
        else:
            found[name] = argument
    return found


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal."""
    if {"--help", "-h"} & set(arguments):
        print(HELP)
        return 0
    given = read(arguments)
    url = urlsplit(given.get("listen-client-urls", "http://127.0.0.1:2379").split(",")[0])
    folder = Path(given.get("data-dir", "default.etcd")).resolve()
    if url.scheme != "http":
        print(f"etcd: {url.geturl()}: only http is here", file=sys.stderr)
        return 1
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    Handler.data_dir = str(folder)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        with HTTPServer((url.hostname or "127.0.0.1", url.port or 2379), Handler) as server:
            server.serve_forever()
    except OSError as error:
        print(f"etcd: cannot listen on {url.geturl()}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
