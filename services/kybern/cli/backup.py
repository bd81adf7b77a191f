"""`kybern backup FILE`: everything the cluster holds, in one file, while it runs (or not)."""

import argparse
import subprocess
import sys
from pathlib import Path

from kybern.cli.core.layout import Layout
from kybern.cli.core.options import SQLITE, ClusterOptions, UsageError, merge_options

TOOL = (sys.executable, "-m", "kybern.apiserver.backup")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `kybern backup`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the file to write; there must be none yet")
    parser.add_argument("--include-pki", action="store_true", help="with the keys that sign certificates and tokens")
    add_store_flags(parser)


def add_store_flags(parser: argparse.ArgumentParser) -> None:
    """Which store, if not the data dir's own."""
    parser.add_argument("--store", metavar="STORE", help="sqlite:PATH or etcd://HOST:PORT,… (default: the data dir's)")
    for name in ("cafile", "certfile", "keyfile"):
        parser.add_argument(f"--etcd-{name}", metavar="FILE", default="", help="TLS to etcd, as the apiserver has it")


def run(options: argparse.Namespace, layout: Layout) -> int:
    """0 when the file is written and has been read again."""
    if not options.store and not layout.data.exists():
        raise UsageError(f"there is no cluster on {layout.data}; name its --data-dir, or a --store")
    arguments = ["take", str(options.file.resolve()), "--store", options.store or own_store(layout)]
    if options.include_pki:
        arguments += ["--pki", str(layout.pki)]
    return run_tool("backup", [*arguments, *tls_flags(options, layout)])


def saved_options(layout: Layout) -> ClusterOptions:
    """How the cluster on the data dir was started."""
    return merge_options(layout.cluster.read_text() if layout.cluster.exists() else "", {})


def own_store(layout: Layout) -> str:
    """The store of the data dir."""
    return saved_options(layout).store or f"{SQLITE}{layout.data / 'store' / 'kybern.db'}"


def tls_flags(options: argparse.Namespace, layout: Layout) -> list[str]:
    """The flags for TLS to etcd: as given, else, for the data dir's own store, as the cluster has them."""
    saved = saved_options(layout) if not options.store else ClusterOptions()
    flags = []
    for name in ("etcd_cafile", "etcd_certfile", "etcd_keyfile"):
        if value := getattr(options, name) or getattr(saved, name):
            flags += [f"--{name.replace('_', '-')}", value]
    return flags


def run_tool(command: str, arguments: list[str]) -> int:
    """Storage is the apiserver's: its own program does the work. Its last word on standard error is the reason."""
    done = subprocess.run([*TOOL, *arguments], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it failed without a reason"])[-1]
        print(f"kybern {command}: {reason}", file=sys.stderr)
    return 1 if done.returncode else 0
