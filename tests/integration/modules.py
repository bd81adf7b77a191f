"""The Go modules whose tests are run, each in a module of our own in which it can be overlaid."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILT = ROOT / "build" / "tools" / "integration"
CONFORMANCE = ROOT / "tests" / "conformance"  # its go.mod has the versions
ENVIRONMENT = {"GOFLAGS": "-mod=mod -trimpath -buildvcs=false", "CGO_ENABLED": "0"}


@dataclass(frozen=True)
class Module:
    """A module with tests below test/integration, and what stands in for which of its files."""

    path: str
    folder: Path
    overlaid: dict[str, str]  # files below this folder
    named: str = ""  # what comes before a package's name on the command line

    @property
    def link(self) -> Path:
        """Where its files are: those below Go's module cache may not be overlaid."""
        return self.folder / self.path.rpartition("/")[2]

    def make(self) -> None:
        """The module around it, if it is not there."""
        module = self.folder / "go.mod"
        if module.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        listed = ["go", "list", "-m", "-f", "{{.Dir}}", self.path]
        found = subprocess.run(
            listed, cwd=CONFORMANCE, env=os.environ | ENVIRONMENT, check=True, capture_output=True, text=True
        )
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(found.stdout.strip())
        shutil.copy(CONFORMANCE / "go.sum", self.folder / "go.sum")
        kept = [
            line for line in (CONFORMANCE / "go.mod").read_text().splitlines() if f"replace {self.path} " not in line
        ]
        module.write_text("\n".join([*kept, f"replace {self.path} => ./{self.link.name}", ""]))

    def overlay(self, folder: Path) -> Path:
        """The file that tells Go what stands in for what."""
        path = folder / f"overlay-{self.link.name}.json"
        replaced = {str(self.link / name): str(HERE / ours) for name, ours in self.overlaid.items()}
        path.write_text(json.dumps({"Replace": replaced}))
        return path

    def package(self, name: str) -> str:
        """Its import path, by its name on the command line."""
        below = name.removeprefix(self.named).removeprefix("/")
        return "/".join(part for part in (self.path, "test/integration", below) if part)

    def packages(self, names: list[str], environment: dict[str, str]) -> Iterator[str]:
        """The names of packages with tests; `...` is all below."""
        command = ["go", "list", "-e", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}"]
        command += [self.package(name) for name in names]
        found = subprocess.run(command, cwd=self.folder, env=environment, check=True, capture_output=True, text=True)
        for line in found.stdout.split():
            below = line.removeprefix(self.package(self.named)).removeprefix("/")
            yield "/".join(part for part in (self.named, below) if part)


KUBERNETES = Module(
    "k8s.io/kubernetes",
    BUILT,
    {
        "cmd/kube-apiserver/app/testing/testserver.go": "overlay/testserver.go",
        "cmd/kube-apiserver/app/testing/kybern.go": "overlay/kybern.go",
        "test/integration/framework/test_server.go": "overlay/framework_server.go",
        "test/integration/framework/kybern_authorizer.go": "overlay/authorizer.go",
        "test/integration/framework/goleak.go": "overlay/goleak.go",
    },
)
APIEXTENSIONS = Module(
    "k8s.io/apiextensions-apiserver",
    BUILT / "apiextensions",
    {"test/integration/fixtures/server.go": "apiextensions/server.go"},
    "apiextensions",
)


def module_of(name: str) -> Module:
    """The module of a package that is named on the command line."""
    return APIEXTENSIONS if name.partition("/")[0] == APIEXTENSIONS.named else KUBERNETES
