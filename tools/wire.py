"""Write into the table of wire numbers which zero values JSON keeps, as Kubernetes' Go types say (needs Go).

Usage: python tools/wire.py [--check]
"""

import gzip
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "libs/kybern/kube/protobuf/wire.json.gz"
SCALARS = frozenset({"string", "bool", "int32", "int64", "double"})
Table = dict[str, list[list[object]]]


def zeros() -> dict[str, list[int]]:
    """By message, the fields whose zero values are in JSON."""
    folder = ROOT / "tests/clients/go"
    done = subprocess.run(["go", "run", "-trimpath", ".", "zeros"], cwd=folder, check=True, stdout=subprocess.PIPE)
    found: dict[str, list[int]] = json.loads(done.stdout)
    return found


def marked(table: Table, kept: dict[str, list[int]]) -> Table:
    """The table with the marks of every message that the Go types have."""
    return {
        message: [
            [*row[:4], int(row[0] in kept[message])] if message in kept and row[2] in SCALARS and not row[3] else row
            for row in rows
        ]
        for message, rows in table.items()
    }


def main() -> int:
    """0 when the table is as it should be."""
    table: Table = json.loads(gzip.decompress(TABLE.read_bytes()))
    wanted = marked(table, zeros())
    if "--check" in sys.argv:
        return int(table != wanted)
    TABLE.write_bytes(gzip.compress(json.dumps(wanted, separators=(",", ":")).encode(), 9, mtime=0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
