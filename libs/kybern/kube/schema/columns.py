"""Table columns: what `kubectl get` prints for each built-in resource, as the server declares it."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import orjson

from kybern.kube.meta import join_group_version


@dataclass(frozen=True)
class Column:
    """One column of a server-side Table; priority 0 is always shown, 1 and above only with `-o wide`."""

    name: str
    type: str
    format: str
    priority: int


@cache
def _all_columns() -> dict[str, tuple[Column, ...]]:
    raw = orjson.loads((files("kybern.kube.schema") / "data" / "columns.json").read_bytes())
    return {key: tuple(Column(*row) for row in rows) for key, rows in raw.items()}


def columns(group: str, version: str, resource: str) -> tuple[Column, ...]:
    """The columns of a resource; empty for one that cannot be listed or is not built in."""
    return _all_columns().get(f"{join_group_version(group, version)}/{resource}", ())
