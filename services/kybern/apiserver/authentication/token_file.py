"""The static token file: lines of `token,user,uid,"group1,group2"`."""

import csv
from pathlib import Path

from kybern.apiserver.core.user import User


def read_token_file(path: Path) -> dict[str, User]:
    """Token → user. Raises OSError, ValueError for a line that is no token."""
    users: dict[str, User] = {}
    with path.open(newline="") as file:
        for number, row in enumerate(csv.reader(file, skipinitialspace=True), 1):
            if not row or not any(row):
                continue
            if len(row) < 3 or not row[0] or not row[1]:
                raise ValueError(f"line {number}: token file must have at least 3 columns: token, user name, user uid")
            groups = tuple(group.strip() for group in row[3].split(",") if group.strip()) if len(row) > 3 else ()
            users[row[0]] = User(row[1], groups, row[2])
    return users
