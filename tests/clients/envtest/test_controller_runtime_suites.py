"""controller-runtime's own test suites, unchanged, on Kybern's envtest programs (`docs/envtest.md`).

Some take minutes, or wait for the clock: `make envtest` runs them all.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kybern.cli.main import main

MODULE = "sigs.k8s.io/controller-runtime"
REQUIRED = Path(__file__).parents[1] / "controller_runtime"  # the module that says which version, and its checksum
SHORT = ("pkg/client", "pkg/envtest", "pkg/webhook")
OTHERS = (
    "pkg/builder",
    "pkg/cache",
    "pkg/cluster",
    "pkg/controller",
    "pkg/handler",
    "pkg/internal/controller",
    "pkg/internal/recorder",
    "pkg/internal/testing/controlplane",
    "pkg/manager",
    "pkg/manager/internal/integration",
    "pkg/metrics/filters",
    "pkg/source",
)
SUITES = SHORT + (OTHERS if os.environ.get("KYBERN_ENVTEST") == "all" else ())
DOWNLOAD_WITHIN, WITHIN = 60, 400  # seconds
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the module that may be written to."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    version = re.search(rf"{MODULE} (v\S+)", (REQUIRED / "go.mod").read_text())
    assert version is not None
    line = [go, "mod", "download", "-json", f"{MODULE}@{version[1]}"]
    try:
        done = subprocess.run(line, cwd=REQUIRED, capture_output=True, text=True, timeout=DOWNLOAD_WITHIN)
    except subprocess.TimeoutExpired:
        pytest.skip("controller-runtime cannot be downloaded in time")
    if done.returncode:
        pytest.skip(f"controller-runtime cannot be had: {done.stdout[-200:]}{done.stderr[-200:]}")
    copy = tmp_path_factory.mktemp("go") / "controller-runtime"
    shutil.copytree(json.loads(done.stdout)["Dir"], copy, copy_function=shutil.copyfile)
    for folder in copy.rglob("**/"):
        folder.chmod(0o755)
    for script in copy.rglob("testdata/*.sh"):
        script.chmod(0o755)  # modules have no file modes
    return copy


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("envtest")
    assert main(["envtest", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("suite", SUITES)
def test_suite(suite: str, module: Path, assets: Path, build_go: Callable[..., str], tmp_path: Path) -> None:
    program = build_go(module, f"./{suite}", output=tmp_path / "suite.test", command=("test", "-c"))
    env = {**os.environ, "KUBEBUILDER_ASSETS": str(assets)}
    line = [program, "--ginkgo.no-color"]
    done = subprocess.run(line, cwd=module / suite, env=env, capture_output=True, text=True, timeout=WITHIN)
    said = done.stdout[-4000:] + done.stderr[-1000:]
    assert done.returncode == 0, said
    ran = re.search(r"(?m)^Ran (\d+) of", done.stdout)
    assert ran is not None, said
    assert int(ran[1]) > 0
