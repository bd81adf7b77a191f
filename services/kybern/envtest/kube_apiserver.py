"""What envtest starts as kube-apiserver: Kybern's apiserver and gateway in one process, with kube-apiserver's flags.

The two services are what they are anywhere, joined by the transport in memory; nothing else runs, as there are no
controllers under envtest either.
"""

import socket
import sys
from collections.abc import Sequence

from kybern.envtest.core.flags import HELP, VERSION, Given, UnknownFlag, help_text, read_flags

NAME = "kube-apiserver"


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal; wrong flags are told as kube-apiserver tells them."""
    try:
        given = read_flags(arguments)
    except UnknownFlag as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    if HELP in given:
        print(help_text())
        return 0
    if VERSION in given:
        print("Kubernetes v1.36.0")
        return 0
    from kybern.telemetry.logs import configure

    configure("info")
    try:
        return _serve(given)
    except (OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _host() -> str:
    """The address that packets to the outside leave from; "" on a host without a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # no packet is sent
            found = str(probe.getsockname()[0])
        except OSError:
            return ""
    return "" if found.startswith("127.") else found


def _serve(given: Given) -> int:
    from kybern.envtest.core.services import decide_services
    from kybern.envtest.files import write_files
    from kybern.envtest.running import Running, flag_names

    host = _host()
    files = write_files(given, host)
    plan = decide_services(given, files, host, flag_names("apiserver"), flag_names("gateway"))
    for flag in plan.passed_over:
        print(f"{NAME}: {flag} is passed over", file=sys.stderr)
    return Running(plan, files.store).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
