"""Generate the Python modules of every contract in protos/ into libs/kybern/protos.

`kybern/api/v1/objects.proto` becomes `kybern.protos.api.v1.objects_pb2`, so that generated code never
collides with a service's package; upstream contracts keep their own first folder below `kybern.protos`.
Nothing is written when the output is newer than its inputs, unless --force is given.
"""

import argparse
import re
import shutil
import sys
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "protos"
OUTPUT = ROOT / "libs" / "kybern" / "protos"
STAMP = OUTPUT / ".stamp"


def inputs() -> list[Path]:
    """Every contract of the project, in a stable order."""
    return sorted(SOURCE.rglob("*.proto"))


def up_to_date(files: list[Path]) -> bool:
    """Whether the output was written after the newest input, from the same set of inputs."""
    if not STAMP.exists():
        return False
    names = "\n".join(str(f.relative_to(SOURCE)) for f in files)
    newest = max(f.stat().st_mtime for f in [*files, Path(__file__)])
    return STAMP.read_text() == names and STAMP.stat().st_mtime >= newest


def top_packages() -> list[str]:
    """The dotted first folders below protos/ that imports in generated code begin with."""
    return sorted(p.name for p in SOURCE.iterdir() if p.is_dir())


def rewrite_imports(text: str, tops: list[str]) -> str:
    """Point imports of our own contracts at kybern.protos; leave google.* and others alone."""
    for top in tops:
        target = "kybern.protos" if top == "kybern" else f"kybern.protos.{top}"
        text = re.sub(rf"^from {top}(\.|\s)", rf"from {target}\1", text, flags=re.M)
        text = re.sub(rf"^import {top}\.", f"import {target}.", text, flags=re.M)
        text = re.sub(rf"(?<![\w.\"'/]){top}\.((?:\w+\.)+\w*_pb2)", rf"{target}.\1", text)
    return text.replace("kybern.protos.protos.", "kybern.protos.")


def generate(files: list[Path], work: Path) -> None:
    """Run protoc into an empty folder, with type stubs for messages and services."""
    from grpc_tools import protoc

    include = str(resources.files("grpc_tools") / "_proto")
    arguments = ["protoc", f"-I{SOURCE}", f"-I{include}", f"--python_out={work}", f"--grpc_python_out={work}"]
    arguments += [f"--plugin={p.name}={p}" for p in Path(sys.executable).parent.glob("protoc-gen-mypy*")]
    arguments += [f"--mypy_out=quiet:{work}", f"--mypy_grpc_out=quiet:{work}"]
    if protoc.main([*arguments, *[str(f.relative_to(SOURCE)) for f in files]]) != 0:
        raise SystemExit("protoc refused the contracts in protos/ (see above)")


def move(work: Path) -> None:
    """Put the generated tree in place: kybern/x → x, other/x → other/x."""
    tops = top_packages()
    for path in sorted(work.rglob("*.py*")):
        relative = path.relative_to(work)
        parts = relative.parts[1:] if relative.parts[0] == "kybern" else relative.parts
        target = OUTPUT.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(rewrite_imports(path.read_text(), tops))
    for folder in [OUTPUT, *[p for p in OUTPUT.rglob("*") if p.is_dir()]]:
        (folder / "__init__.py").touch()


def main() -> None:
    """Command line: generate, or with --check only say whether the output is current."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--force", action="store_true", help="generate even when nothing changed")
    parser.add_argument("--check", action="store_true", help="only say whether the output is current (exit 1 if not)")
    options = parser.parse_args()
    files = inputs()
    current = up_to_date(files)
    if options.check:
        raise SystemExit(0 if current else "libs/kybern/protos is out of date: run `make protos`")
    if current and not options.force:
        return
    work = ROOT / "build" / "protos"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    generate(files, work)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    move(work)
    STAMP.write_text("\n".join(str(f.relative_to(SOURCE)) for f in files))


if __name__ == "__main__":
    main()
