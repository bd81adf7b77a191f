"""Ask Kubernetes' Go code what it calls the types of members, for errors that name them, by definition (needs Go).

Usage: python tools/go_types.py [--check]

Writes tools/facts/go-types-1.36.json, from which tools/schema.py makes the table that ships.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_UNSTABLE = re.compile(r"\.v\d+(alpha|beta)\d+\.")  # versions that are not served
FACTS = ROOT / "tools/facts/go-types-1.36.json"


def asked() -> str:
    """One definition a line: `types`, by member, of lists and maps those inside too; `inside`, embedded structs."""
    folder = ROOT / "tests/clients/go"
    done = subprocess.run(["go", "run", "-trimpath", ".", "types"], cwd=folder, check=True, stdout=subprocess.PIPE)
    rows = [(name, row) for name, row in sorted(json.loads(done.stdout).items()) if row and not _UNSTABLE.search(name)]
    lines = (f"{json.dumps(name)}:{json.dumps(row, separators=(',', ':'))}" for name, row in rows)
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> int:
    """0 when the facts are as they should be."""
    text = asked()
    if "--check" in sys.argv:
        return int(FACTS.read_text() != text)
    FACTS.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
