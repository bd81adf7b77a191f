"""Run conformance cases against a cluster: `python tests/conformance/run.py --focus 'StatefulSet'`.

Without `--kubeconfig` it starts a cluster with two nodes for the run and stops it afterwards. Cases run one after
another, as the suite does it. Prints what failed and why, and counts by special interest group.
"""

import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite_images import SuiteImages, listed_names

from kybern.runtime.images import import_archives, write_archives
from kybern.testing.cluster.host import LOCK, NODES_LOCK, wait_for
from kybern.testing.cluster.process import Cluster

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build" / "tools" / "conformance"
SIG = re.compile(r"\[(sig-[a-z-]+)\]")
NAME = re.compile(r"^\[It\] (.*?)( \[.*)?$")


def load_images(data_dir: Path) -> None:
    """Put the suite's images into the containerd of every node of a cluster."""
    maker = SuiteImages(BUILT)
    for number, reference in enumerate(listed_names(BUILT)):
        if (image := maker.image(reference)) is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            archives = write_archives(Path(folder) / str(number), [image])
            for socket in sorted(data_dir.glob("nodes/*/containerd/c.sock")):
                import_archives(str(socket), archives)


@contextmanager
def cluster(options: argparse.Namespace) -> Iterator[Path]:
    """A kubeconfig: the given one, or that of a cluster that lives as long as the block."""
    if options.kubeconfig:
        yield options.kubeconfig
        return
    flags = ("--simulated-nodes", "2") if options.simulated else ("--nodes", str(options.nodes))
    locks = [] if options.simulated else [wait_for(path, float("inf")) for path in (LOCK,)]
    if locks and NODES_LOCK.exists():
        os.close(wait_for(NODES_LOCK, float("inf")))
    running = Cluster.start(*flags)
    try:
        print(f"cluster: {running.kubeconfig}", flush=True)
        if not options.simulated:
            load_images(running.data_dir)
        yield running.kubeconfig
    finally:
        running.stop()
        for lock in locks:
            os.close(lock)


def run_suite(options: argparse.Namespace, kubeconfig: Path) -> Path:
    """Run the cases in focus; the JUnit report."""
    options.output.mkdir(parents=True, exist_ok=True)
    report: Path = options.output / "junit.xml"
    log: Path = options.output / "log"
    report.unlink(missing_ok=True)
    focus = rf"({options.focus}).*\[Conformance\]|\[Conformance\].*({options.focus})" if options.focus else ""
    command = [
        str(BUILT / "e2e.test"),
        "--provider=skeleton",
        f"--kubeconfig={kubeconfig}",
        f"--kubectl-path={ROOT / 'build' / 'tools' / 'kubectl-1.36'}",
        f"--kube-api-content-type={options.content_type}",
        "--minStartupPods=0",
        "--disable-log-dump",
        f"--ginkgo.focus={focus or '.*[[]Conformance[]]'}",
        f"--ginkgo.timeout={options.timeout}",
        f"--ginkgo.junit-report={report}",
        "--ginkgo.no-color",
        "--ginkgo.silence-skips",
        *([f"--ginkgo.skip={options.skip}"] if options.skip else []),
    ]
    with log.open("w") as output:
        subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    print(f"log: {log}")
    return report


def read_report(report: Path) -> dict[str, list[tuple[str, str, str]]]:
    """(case, status, reason) by group; cases out of focus are left out, those that skipped themselves are not."""
    found: dict[str, list[tuple[str, str, str]]] = collections.defaultdict(list)
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name, status = case.get("name", ""), case.get("status", "")
        skipped = case.find("skipped")
        if (group := SIG.search(name)) is None or (skipped is not None and not skipped.get("message")):
            continue
        problem = next((case.find(tag) for tag in ("failure", "error") if case.find(tag) is not None), skipped)
        reason = "" if problem is None else (problem.get("message") or "").strip()
        found[group[1]].append((NAME.sub(r"\1", name), status, reason))
    return found


def show(found: dict[str, list[tuple[str, str, str]]]) -> bool:
    """Print the failures, then a line for each group. True when nothing failed."""
    for cases in found.values():
        for name, status, reason in sorted(cases):
            if status != "passed":
                print(f"{status.upper():8} {name}\n         {' '.join(reason.split())[:300]}")
    print(f"\n{'group':24}{'passed':>8}{'failed':>8}{'skipped':>9}")
    bad = 0
    for group, cases in sorted(found.items()):
        counts = collections.Counter(status for _, status, _ in cases)
        failed = len(cases) - counts["passed"] - counts["skipped"]
        bad += failed
        print(f"{group:24}{counts['passed']:8}{failed:8}{counts['skipped']:9}")
    return not bad


def main() -> int:
    """Parse flags, run, show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--focus", default="", help="regular expression over the names of cases")
    parser.add_argument("--skip", default="", help="regular expression over names to leave out")
    parser.add_argument("--kubeconfig", type=Path, help="a running cluster (its nodes must have the images)")
    parser.add_argument("--nodes", type=int, default=2, help="nodes with containers of the cluster to start")
    parser.add_argument("--simulated", action="store_true", help="simulated nodes: enough for cases of the API alone")
    parser.add_argument("--content-type", default="application/vnd.kubernetes.protobuf", help="what the client speaks")
    parser.add_argument("--timeout", default="4h", help="for the whole run")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "conformance", help="folder for log and report")
    parser.add_argument("--load-images", type=Path, metavar="DATA_DIR", help="only load images into a running cluster")
    options = parser.parse_args()
    if subprocess.run(["sh", str(Path(__file__).with_name("build.sh")), str(BUILT)]).returncode:
        return 1
    if options.load_images:
        load_images(options.load_images)
        return 0
    with cluster(options) as kubeconfig:
        report = run_suite(options, kubeconfig)
    return 0 if report.exists() and show(read_report(report)) else 1


if __name__ == "__main__":
    sys.exit(main())
