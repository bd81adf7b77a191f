"""`kybern restore FILE --data-dir DIR`: a new cluster from a backup; start it with `kybern up` afterwards."""

import argparse
from pathlib import Path

from kybern.cli.backup import add_store_flags, own_store, run_tool, tls_flags
from kybern.cli.core.layout import Layout
from kybern.cli.core.options import UsageError
from kybern.cli.running import is_running


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `kybern restore`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="what `kybern backup` wrote")
    parser.add_argument(
        "--bump-revision",
        type=int,
        metavar="N",
        help="raise the revision by N: more than the writes since the backup (default: 1,000,000,000; etcd: 20,000)",
    )
    add_store_flags(parser)


def run(options: argparse.Namespace, layout: Layout) -> int:
    """0 when everything is in place."""
    if layout.data.exists() and is_running(layout):
        raise UsageError(f"a cluster runs on {layout.data}: restore into another, empty --data-dir")
    layout.data.mkdir(parents=True, exist_ok=True)
    arguments = ["restore", str(options.file.resolve()), "--store", options.store or own_store(layout)]
    arguments += ["--pki", str(layout.pki)]
    if options.bump_revision is not None:
        if options.bump_revision < 0:
            raise UsageError("--bump-revision cannot be negative: clients would miss what happened since the backup")
        arguments += ["--bump-revision", str(options.bump_revision)]
    code = run_tool("restore", [*arguments, *tls_flags(options, layout)])
    if not code:
        store = f" --store {options.store}" if options.store else ""
        print(f"\nstart it with: kybern up --data-dir {layout.data}{store}")
    return code
