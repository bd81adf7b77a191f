"""Run Kubernetes' own integration tests on Kybern: `python tests/integration/run.py apiserver -run 'TestPatch'`.

A package is named by its folder below test/integration; `apiserver/...` is all below it, `apiextensions/...` the tests
of the module k8s.io/apiextensions-apiserver. The tests are those of Kubernetes 1.36, unchanged; with -overlay, the
functions that start a server in the test's process start Kybern instead, with the test's flags, on an etcd. Prints
what failed, and counts by package.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from modules import APIEXTENSIONS, ENVIRONMENT, KUBERNETES, module_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ETCD = ROOT / "build" / "tools" / "etcd-3.6"
LEFT_OUT = HERE / "left_out.txt"
TOLD = "very short watch"  # what client-go says of a watch that ended at once; tests do not fail of it


@dataclass
class Outcome:
    """What became of one package's tests."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)  # reasons by name
    output: dict[str, list[str]] = field(default_factory=dict)


def left_out_by_name() -> list[tuple[str, str, str]]:
    """Package, test (a regular expression) and reason of what is not run."""
    rows = []
    for line in LEFT_OUT.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            package, test, reason = (part.strip() for part in line.split("|", 2))
            rows.append((package, test, reason))
    return rows


@contextmanager
def etcd(folder: Path) -> Iterator[str]:
    """The URL of a new etcd."""
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    url, peer = (f"http://127.0.0.1:{port}" for port in ports)
    command = [str(ETCD), "--data-dir", str(folder / "etcd"), "--listen-client-urls", url, "--unsafe-no-fsync"]
    command += ["--advertise-client-urls", url, "--listen-peer-urls", peer, "--log-level", "error"]
    command += ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
    command += ["--quota-backend-bytes", str(8 << 30)]
    with running(command, folder / "etcd.log"):
        for _ in range(100):
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=2):
                    break
            except OSError:
                time.sleep(0.1)
        else:
            raise SystemExit((folder / "etcd.log").read_text())
        yield url


@contextmanager
def starter(folder: Path) -> Iterator[Path]:
    """The socket at which kube-apiserver's stand-ins are started."""
    path = folder / "starter"
    with running([sys.executable, "-P", str(HERE / "starter.py"), str(path)], folder / "starter.log") as process:
        for _ in range(300):
            if path.exists():
                break
            if process.poll() is not None:
                raise SystemExit((folder / "starter.log").read_text())
            time.sleep(0.1)
        yield path


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program for as long as the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def run_package(package: str, options: argparse.Namespace, environment: dict[str, str]) -> Outcome:
    """`go test` of one package, with its progress on standard error."""
    excluded = {test: reason for where, test, reason in left_out_by_name() if where == package}
    outcome = Outcome()
    if "*" in excluded and not options.everything:
        outcome.left_out["*"] = excluded["*"]
        return outcome
    module = module_of(package)
    command = ["nice", "go", "test", "-json", "-vet=off", "-count=1", f"-timeout={options.timeout}"]
    command += [] if options.real else [f"-overlay={module.overlay(options.work)}"]
    command += [module.package(package)]
    command += ["-run", options.run] if options.run else []
    if excluded and not options.everything:
        command += ["-skip", "|".join(excluded)]
        outcome.left_out |= excluded
    with subprocess.Popen(command, cwd=module.folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            take(line, outcome, options.verbose)
    return outcome


def take(line: str, outcome: Outcome, verbose: bool) -> None:
    """One event of `go test -json`."""
    try:
        event = json.loads(line)
    except ValueError:
        print(line, end="", file=sys.stderr)
        return
    name, action = event.get("Test", ""), event["Action"]
    output = outcome.output.setdefault(name, [])
    match action:
        case "output" | "build-output":
            output.append(event["Output"])
            if verbose or action == "build-output" or TOLD in event["Output"]:
                print(event["Output"], end="", file=sys.stderr)
        case "pass" if name:
            outcome.passed.append(name)
            outcome.output[name] = []
        case "fail" if name:
            outcome.failed.append(name)
            print(f"--- failed: {name}", file=sys.stderr)
        case "fail" if not outcome.failed:
            outcome.failed.append("(the package)")
            outcome.output["(the package)"] = output
        case "skip" if name:
            reason = "".join(output).partition("left out: ")[2].strip().splitlines()
            if reason:
                outcome.left_out[name] = reason[0]
            else:
                outcome.skipped.append(name)


def packages(named: list[str], environment: dict[str, str]) -> Iterator[str]:
    """Packages with tests, below test/integration of the modules."""
    for module in (KUBERNETES, APIEXTENSIONS):
        names = [name for name in named if module_of(name) is module]
        if names:
            module.make()
            yield from module.packages(names, environment)


def report(package: str, outcome: Outcome, folder: Path | None) -> None:
    """Counts of a package, what failed, and where its output is."""
    tops = [len([name for name in names if "/" not in name]) for names in (outcome.passed, outcome.failed)]
    print(
        f"{package}: passed {len(outcome.passed)}, failed {len(outcome.failed)}, skipped {len(outcome.skipped)}, "
        f"left out {len(outcome.left_out)} (tests without their parts: {tops[0]} passed, {tops[1]} failed)"
    )
    for name in outcome.failed:
        print(f"    failed: {name}")
    for name, reason in outcome.left_out.items():
        print(f"    left out: {name}: {reason}")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        text = [f"=== {name}\n{''.join(outcome.output.get(name, []))}\n" for name in outcome.failed]
        (folder / f"{package.replace('/', '_')}.txt").write_text("".join(text))
    sys.stdout.flush()


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="+", help="folders below test/integration, e.g. apiserver/apply")
    parser.add_argument("-run", metavar="REGEXP", help="of these tests alone")
    parser.add_argument("-timeout", default="30m", help="for each package (default: 30m)")
    parser.add_argument("-o", dest="folder", type=Path, help="where to write the output of what failed")
    parser.add_argument("--everything", action="store_true", help="what left_out.txt names, too")
    parser.add_argument("--every-feature", action="store_true", help="tests of features that are off, too")
    parser.add_argument("--keep", action="store_true", help="keep the servers' logs, and say where")
    parser.add_argument("--real", action="store_true", help="without the overlay: on Kubernetes' own kube-apiserver")
    parser.add_argument("-v", dest="verbose", action="store_true", help="the output of the tests as they run")
    return parser.parse_args()


def main() -> int:
    """The exit status: 1 if something failed."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # with what it has started
    environment = os.environ | ENVIRONMENT
    failed = False
    folder = Path(tempfile.mkdtemp(prefix="ki-"))
    try:
        with etcd(folder) as url, starter(folder) as path:
            options.work = folder
            (folder / "bin").mkdir()
            (folder / "bin" / "etcd").symlink_to(ETCD)
            (folder / "t").mkdir()
            environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
            environment |= {"KUBE_INTEGRATION_ETCD_URL": url, "KYBERN_STARTER": str(path)}
            environment["TMPDIR"] = str(folder / "t")
            if options.every_feature:
                environment["KYBERN_EVERY_FEATURE"] = "1"
            for package in packages(options.packages, environment):
                outcome = run_package(package, options, environment)
                report(package, outcome, options.folder)
                failed = failed or bool(outcome.failed)
    finally:
        if options.keep:
            print(f"logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
