"""`kybern envtest`: a folder that envtest takes for etcd and kube-apiserver; the tests of operators run on Kybern.

export KUBEBUILDER_ASSETS=$(kybern envtest)
"""

import argparse
import shlex
import shutil
import sys
from pathlib import Path

from kybern.cli.core.layout import Layout

PROGRAMS = {"etcd": "kybern.envtest.etcd", "kube-apiserver": "kybern.envtest.kube_apiserver"}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `kybern envtest`."""
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="DIR", help="the folder (default: envtest in the data dir)"
    )


def run(options: argparse.Namespace, layout: Layout) -> int:
    """Write the programs and print where they are."""
    folder = (options.folder or layout.data / "envtest").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name, module in PROGRAMS.items():
        write_program(folder / name, f'exec {shlex.quote(sys.executable)} -P -m {module} "$@"')
    kubectl = shutil.which("kubectl")
    if kubectl:
        write_program(folder / "kubectl", f'exec {shlex.quote(kubectl)} "$@"')
    print(folder)
    return 0


def write_program(path: Path, line: str) -> None:
    """A script of one line, replaced whole: another test may be starting it."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(f"#!/bin/sh\n{line}\n")
    partial.chmod(0o755)
    partial.replace(path)
