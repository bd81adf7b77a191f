"""Fetch a Go for machines that have none: the tests build kubectl, Helm and Go's own clients with it.

It comes from Go's module proxy, from where Go itself takes other versions of itself.

    python tools/go.py      # into build/tools/go
"""

import hashlib
import io
import platform
import shutil
import sys
import urllib.request
import zipfile
from pathlib import Path

VERSION = "go1.26.8"
SHA256 = {
    "amd64": "30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7",
    "arm64": "02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99",
}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PROXY = "https://proxy.golang.org/golang.org/toolchain/@v"
GO = Path(__file__).resolve().parents[1] / "build" / "tools" / "go"
PROGRAMS = ("/bin/", "/pkg/tool/")  # modules have no file modes


def fetch(architecture: str) -> bytes:
    """The toolchain's module. Raises OSError, ValueError."""
    with urllib.request.urlopen(f"{PROXY}/v0.0.1-{VERSION}.linux-{architecture}.zip", timeout=60) as response:
        data: bytes = response.read()
    if hashlib.sha256(data).hexdigest() != SHA256[architecture]:
        raise ValueError("what was fetched is not what it should be (another SHA-256)")
    return data


def unpack(data: bytes, folder: Path) -> None:
    """Put the toolchain there, whole or not at all."""
    partial = folder.with_name("go.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(data)) as module:
        module.extractall(partial)
    (top,) = (partial / "golang.org").iterdir()
    for path in top.rglob("*"):
        if path.is_file() and any(part in str(path)[len(str(top)) :] for part in PROGRAMS):
            path.chmod(0o755)
    top.rename(folder)
    shutil.rmtree(partial)


def main() -> int:
    """0 when Go is there."""
    architecture = ARCHITECTURES.get(platform.machine(), "")
    if (GO / "bin" / "go").exists():
        return 0
    if not architecture:
        print(f"[setup] no Go for {platform.machine()}", file=sys.stderr)
        return 1
    print(f"[setup] fetching {VERSION} (70 MB)", flush=True)
    GO.parent.mkdir(parents=True, exist_ok=True)
    try:
        unpack(fetch(architecture), GO)
    except (OSError, ValueError) as error:
        print(f"[setup] no Go: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
