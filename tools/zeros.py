"""Ask Kubernetes' Go types which zero values JSON leaves out and which it keeps, by definition (needs Go).

Usage: python tools/zeros.py [--check]

Writes tools/facts/zero-values-1.36.json, from which tools/schema.py makes the table that ships.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FACTS = ROOT / "tools/facts/zero-values-1.36.json"


def shapes() -> dict[str, dict[str, Any]]:
    """By definition: `drops`, members that are absent when zero; `keeps`, members that are always there."""
    folder = ROOT / "tests/clients/go"
    done = subprocess.run(["go", "run", "-trimpath", ".", "shapes"], cwd=folder, check=True, stdout=subprocess.PIPE)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def written(found: dict[str, dict[str, Any]]) -> str:
    """One definition a line; what is inside of a kept struct is said by its own definition."""
    rows = {}
    for name, shape in sorted(found.items()):
        drops = sorted({*shape.get("drops", ())})
        keeps = {key: {} if isinstance(zero, dict) else zero for key, zero in sorted(shape.get("keeps", {}).items())}
        rows[name] = {**({"drops": drops} if drops else {}), **({"keeps": keeps} if keeps else {})}
    lines = (f"{json.dumps(name)}:{json.dumps(row, separators=(',', ':'))}" for name, row in rows.items() if row)
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> int:
    """0 when the facts are as they should be."""
    text = written(shapes())
    if "--check" in sys.argv:
        return int(FACTS.read_text() != text)
    FACTS.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
