"""Run conformance cases against a cluster: `python tests/conformance/run.py --focus 'StatefulSet'`.

Without `--kubeconfig` it starts a cluster with two nodes for the run and stops it afterwards. A few
processes share the cases; serial ones come last. Prints what failed and why, and counts by special interest group.
"""

import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from registry import registries
from suite_images import SuiteImages, listed_names

from kybern.runtime.images import Image, import_archives, write_archives
from kybern.testing.cluster.host import LOCK, NODES_LOCK, wait_for
from kybern.testing.cluster.process import Cluster

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build" / "tools" / "conformance"
CONTAINERD_2 = ROOT / "build" / "tools" / "containerd-2"  # a registry too
SIG = re.compile(r"\[(sig-[a-z-]+)\]")
Results = dict[str, tuple[str, str]]  # name of a case: status and reason


def suite_images() -> Iterator[Image]:
    """The images of the suite, one at a time: some are large."""
    maker = SuiteImages(BUILT)
    for reference in listed_names(BUILT):
        if (image := maker.image(reference)) is not None:
            yield image


def load_images(data_dir: Path) -> None:
    """Put the suite's images into the containerd of every node of a cluster."""
    for number, image in enumerate(suite_images()):
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
    if options.containerd == "2":
        os.environ["PATH"] = f"{CONTAINERD_2}:{os.environ['PATH']}"
    locks = [] if options.simulated else [wait_for(path, float("inf")) for path in (LOCK,)]
    if locks and NODES_LOCK.exists():
        os.close(wait_for(NODES_LOCK, float("inf")))
    running = Cluster.start(*flags)
    try:
        print(f"cluster: {running.kubeconfig}", flush=True)
        if options.simulated:
            yield running.kubeconfig
            return
        program = CONTAINERD_2 / "registry"
        with (
            tempfile.TemporaryDirectory() as home,
            registries(program, Path(home), running.data_dir, suite_images()),
        ):
            yield running.kubeconfig
    finally:
        running.stop()
        for lock in locks:
            os.close(lock)


def select(options: argparse.Namespace) -> list[str]:
    """The names of the cases that one expression matches and another does not."""
    focus, skip = options.focus, options.skip
    names = known_cases(options.beyond)
    return [name for name in names if re.search(focus, name) and not (skip and re.search(skip, name))]


def known_cases(beyond: bool) -> list[str]:
    """All conformance cases, or all the others that the suite has."""
    if not beyond:
        return [str(case["codename"]) for case in yaml.safe_load((BUILT / "conformance.yaml").read_text())]
    done = subprocess.run([str(BUILT / "e2e.test"), "--list-tests"], capture_output=True, text=True, check=True)
    found = (line.partition(".go:")[2].partition(": ")[2].strip() for line in done.stdout.splitlines())
    return list(dict.fromkeys(name for name in found if name and "[Conformance]" not in name))


def share(names: list[str], processes: int) -> list[list[str]]:
    """Cases for each process: those that need the cluster for themselves are left out."""
    shared = [name for name in names if "[Serial]" not in name]
    return [part for part in (shared[number::processes] for number in range(processes)) if part]


def run_suite(options: argparse.Namespace, kubeconfig: Path) -> list[Path]:
    """Run the selected cases: some processes beside each other, then one for the serial cases. The JUnit reports."""
    names = select(options)
    if options.rest:
        names = [name for name in names if remembered(options).get(name, ("",))[0] != "passed"]
    serial = [name for name in names if "[Serial]" in name]
    options.output.mkdir(parents=True, exist_ok=True)
    print(f"{len(names)} cases, {len(serial)} of them serial; logs in {options.output}", flush=True)
    reports: list[Path] = []
    for wave in (share(names, options.processes), [serial] if serial else []):
        running = []
        for part in wave:
            stem = options.output / f"{len(reports) + 1}"
            reports.append(stem.with_suffix(".xml"))
            reports[-1].unlink(missing_ok=True)
            with stem.with_suffix(".log").open("w") as log:
                line = command(options, kubeconfig, part, reports[-1])
                running.append(subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT))
        for process in running:
            process.wait()
    return [report for report in reports if report.exists()]


def command(options: argparse.Namespace, kubeconfig: Path, names: list[str], report: Path) -> list[str]:
    """One process of the suite with exactly these cases."""
    return [
        str(BUILT / "e2e.test"),
        "--provider=skeleton",
        f"--kubeconfig={kubeconfig}",
        f"--kubectl-path={ROOT / 'build' / 'tools' / 'kubectl-1.36'}",
        f"--kube-api-content-type={options.content_type}",
        "--minStartupPods=0",
        "--disable-log-dump",
        f"--ginkgo.focus=({'|'.join(re.escape(name) for name in names)})$".replace("\\ ", " ").replace("'", "."),
        f"--ginkgo.timeout={options.timeout}",
        f"--ginkgo.junit-report={report}",
        "--ginkgo.no-color",
        "--ginkgo.silence-skips",
    ]


def read_reports(reports: list[Path], names: list[str]) -> Results:
    """What became of each of these cases."""
    found: Results = {}
    for report in reports:
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            full, status = case.get("name", ""), case.get("status", "")
            problem = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
            said = "" if problem is None else str(problem.get("message") or "")
            if status == "skipped" and said == "skipped":  # out of focus
                continue
            matching = (name for name in names if " ".join(name.split()) in " ".join(full.split()))
            if name := max(matching, key=len, default=""):
                found[name] = (status, " ".join(said.split())[:500])
    return found


def remembered(options: argparse.Namespace) -> Results:
    """What all runs so far have found."""
    return remember({}, results_of(options))


def results_of(options: argparse.Namespace) -> Path:
    """Where results are kept: those beyond conformance on their own."""
    return Path(options.output.parent) / ("beyond.json" if options.beyond else "results.json")


def remember(found: Results, path: Path) -> Results:
    """Add to what earlier runs found; all of it."""
    known: Results = json.loads(path.read_text()) if path.exists() else {}
    known |= found
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=1, sort_keys=True))
    return known


def show(found: Results, cases: list[str], failures: bool = True) -> bool:
    """Print the failures, then a line for each group of these cases. True when nothing failed."""
    for name, (status, reason) in sorted(found.items()) if failures else ():
        if status != "passed":
            print(f"{status.upper():8} {name}\n         {reason[:300]}")
    print(f"\n{'group':24}{'cases':>8}{'passed':>8}{'skipped':>9}{'failed':>8}{'not run':>9}")
    bad = 0
    for group in sorted({match[1] for name in cases if (match := SIG.match(name))}):
        mine = [name for name in cases if name.startswith(f"[{group}]")]
        counts = collections.Counter(found[name][0] if name in found else "not run" for name in mine)
        failed = len(mine) - counts["passed"] - counts["skipped"] - counts["not run"]
        bad += failed
        print(f"{group:24}{len(mine):8}{counts['passed']:8}{counts['skipped']:9}{failed:8}{counts['not run']:9}")
    return not bad


def main() -> int:
    """Parse flags, run, show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--focus", default="", help="regular expression over the names of cases")
    parser.add_argument("--skip", default="", help="regular expression over names to leave out")
    parser.add_argument("--kubeconfig", type=Path, help="a running cluster (its nodes must have the images)")
    parser.add_argument("--processes", type=int, default=2, help="processes of the suite beside each other")
    parser.add_argument("--nodes", type=int, default=2, help="nodes with containers of the cluster to start")
    parser.add_argument("--simulated", action="store_true", help="simulated nodes: enough for cases of the API alone")
    parser.add_argument(
        "--containerd", choices=("2", "host"), default="2", help="of the nodes: the one built here, or the host's"
    )
    parser.add_argument("--content-type", default="application/vnd.kubernetes.protobuf", help="what the client speaks")
    parser.add_argument("--timeout", default="4h", help="for the whole run")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "build" / "conformance" / "run", help="folder for log and report"
    )
    parser.add_argument("--load-images", type=Path, metavar="DATA_DIR", help="only load images into a running cluster")
    parser.add_argument("--beyond", action="store_true", help="the cases that are not conformance cases")
    parser.add_argument("--rest", action="store_true", help="only what no run so far has seen pass")
    parser.add_argument("--report", action="store_true", help="only count what all runs so far have found")
    options = parser.parse_args()
    if options.report:
        return 0 if show(remembered(options), select(options), failures=False) else 1
    if subprocess.run(["sh", str(Path(__file__).with_name("build.sh")), str(BUILT)]).returncode:
        return 1
    if options.load_images:
        load_images(options.load_images)
        return 0
    with cluster(options) as kubeconfig:
        reports = run_suite(options, kubeconfig)
    found = read_reports(reports, select(options))
    remember(found, results_of(options))
    return 0 if show(found, select(options) if options.beyond else known_cases(False)) and found else 1


if __name__ == "__main__":
    sys.exit(main())
