"""kubectl as a test uses it: output when it works, standard error when it must not."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

TIMEOUT = 60  # seconds one command may take
Object = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """What a command answered."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Kubectl:
    """One kubectl binary, a kubeconfig and a namespace ("" is the default one)."""

    binary: str
    kubeconfig: Path
    home: Path
    minor: int = 0
    namespace: str = ""

    @classmethod
    def find(cls, binary: str, kubeconfig: Path, home: Path) -> Kubectl:
        """The kubectl at a path, with its version."""
        found = cls(binary, kubeconfig, home)
        version = json.loads(found("version", "--client", "-o", "json"))["clientVersion"]
        return replace(found, minor=int(re.sub(r"\D", "", version["minor"])))

    def within(self, namespace: str) -> Kubectl:
        """The same kubectl in another namespace."""
        return replace(self, namespace=namespace)

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        scope = ["--namespace", self.namespace] if self.namespace else []
        return [self.binary, *scope, *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        """What the process sees: nothing of the user's own configuration."""
        own = {"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home), "PATH": os.environ["PATH"]}
        return {**own, "LC_ALL": "C.UTF-8", "TZ": "UTC", **more}

    def run(self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Result:
        """Run a command and say how it ended."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin.encode(),
            env=self.environment(**(env or {})),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def __call__(self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
        """Standard output of a command that must succeed."""
        result = self.run(*arguments, stdin=stdin, env=env)
        assert result.code == 0, f"kubectl {' '.join(arguments)}: {result.err}{result.out}"
        return result.out.rstrip("\n")

    def error(self, *arguments: str, stdin: str = "", code: int = 1) -> str:
        """Standard error of a command that must fail."""
        result = self.run(*arguments, stdin=stdin)
        assert result.code == code, f"kubectl {' '.join(arguments)} ended with {result.code}: {result.err}{result.out}"
        return result.err.rstrip("\n")

    def json(self, *arguments: str, stdin: str = "") -> Any:
        """What a command prints as JSON."""
        return json.loads(self(*arguments, "-o", "json", stdin=stdin))

    def send(self, verb: str, *objects: Object, flags: Sequence[str] = ()) -> str:
        """Create, apply or replace objects."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self(verb, "-f", "-", *flags, stdin=json.dumps(items))

    def together(self, commands: Iterable[Sequence[str]]) -> list[str]:
        """Outputs of commands that do not depend on each other, in their order."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda arguments: self(*arguments), commands))
