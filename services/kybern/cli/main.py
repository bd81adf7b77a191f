"""The command line. Light to start: what a command needs is imported when it runs."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from kybern.cli.core.layout import Layout, default_data_dir
from kybern.cli.core.options import ClusterFailed, UsageError

COMMANDS = {
    "up": "start a cluster on this host, and return when it is ready",
    "down": "stop the cluster and leave nothing running",
    "status": "what runs, where, and how it is",
    "trace": "the way of one object through the mesh, as a waterfall",
    "backup": "write everything the cluster holds to a file",
    "restore": "make a new cluster's store from a backup",
    "reencrypt": "write objects anew with the present encryption key",
    "envtest": "print a folder for KUBEBUILDER_ASSETS: tests of operators run on Kybern",
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(prog="kybern", description="Kubernetes in Python, as a mesh of gRPC services.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        command.add_argument("--data-dir", type=Path, help="state, certificates and logs (default: %(default)s)")
        command.set_defaults(data_dir=default_folder())
        import_module(f"kybern.cli.{name}").add_flags(command)
    return parser


def default_folder() -> Path:
    """The data dir when none is given; KYBERN_DATA_DIR overrides it."""
    chosen = os.environ.get("KYBERN_DATA_DIR", "")
    if chosen:
        return Path(chosen)
    return default_data_dir(os.geteuid() == 0, os.path.expanduser("~"), os.environ.get("XDG_DATA_HOME", ""))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; wrong use and known failures end in one sentence on standard error."""
    options = build_parser().parse_args(arguments)
    try:
        result = import_module(f"kybern.cli.{options.command}").run(options, Layout(options.data_dir.resolve()))
        assert isinstance(result, int)
        return result
    except UsageError as error:
        print(f"kybern {options.command}: {error}", file=sys.stderr)
        return 2
    except PermissionError as error:
        what = f"{error.filename} may not be used" if error.filename else str(error)
        print(f"kybern {options.command}: {what}; run as root, or give a --data-dir of your own", file=sys.stderr)
        return 2
    except (ClusterFailed, OSError) as error:
        print(f"kybern {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
