"""Columns of labels: one small integer per node and label key, so that a selector is a handful of array operations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kybern.kube.selectors import Requirement

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Slots = NDArray[np.intp]
Rows = slice | Slots
ALL = slice(None)
ABSENT = -1


class LabelColumn:
    """The values of one label key over all nodes: `codes[slot]` indexes `values`, or is ABSENT."""

    def __init__(self, key: str, capacity: int) -> None:
        self.key = key
        self.codes: Codes = np.full(capacity, ABSENT, np.int32)
        self.values: list[str] = []
        self._code_of: dict[str, int] = {}

    def grow(self, capacity: int) -> None:
        self.codes = grown(self.codes, capacity, ABSENT)

    def set(self, slot: int, value: str | None) -> None:
        self.codes[slot] = ABSENT if value is None else self.code(value)

    def code(self, value: str) -> int:
        code = self._code_of.get(value)
        if code is None:
            code = self._code_of[value] = len(self.values)
            self.values.append(value)
        return code

    def matches(self, requirement: Requirement, rows: Rows) -> Mask:
        """Which nodes meet the requirement."""
        codes = self.codes[rows]
        if requirement.operator in ("=", "in"):
            wanted = [self._code_of[value] for value in requirement.values if value in self._code_of]
            mask: Mask = codes == wanted[0] if len(wanted) == 1 else np.isin(codes, wanted)
            return mask
        if requirement.operator in ("exists", "!"):
            present: Mask = codes != ABSENT
            return present if requirement.operator == "exists" else ~present
        verdicts = [requirement.matches({self.key: value}) for value in self.values]
        verdicts.append(requirement.matches({}))  # ABSENT, which is -1, takes the last
        return np.array(verdicts, np.bool_)[codes]


class Interned:
    """A column of values that many nodes share, such as lists of taints: `codes[slot]` indexes `values`."""

    def __init__(self, capacity: int, empty: Any) -> None:
        self.values: list[Any] = [empty]
        self.codes: Codes = np.zeros(capacity, np.int32)
        self._code_of: dict[Any, int] = {empty: 0}

    def grow(self, capacity: int) -> None:
        self.codes = grown(self.codes, capacity, 0)

    def set(self, slot: int, value: Any) -> None:
        code = self._code_of.get(value)
        if code is None:
            code = self._code_of[value] = len(self.values)
            self.values.append(value)
        self.codes[slot] = code


def grown(column: NDArray[Any], capacity: int, fill: Any) -> NDArray[Any]:
    """The column with room for `capacity` nodes."""
    wider = np.full((capacity, *column.shape[1:]), fill, column.dtype)
    wider[: len(column)] = column
    return wider


def meets(columns: Mapping[str, LabelColumn], requirements: Sequence[Requirement], rows: Rows, size: int) -> Mask:
    """Which of the rows meet all requirements; `size` is how many rows there are."""
    mask: Mask = np.ones(size, np.bool_)
    for requirement in requirements:
        column = columns.get(requirement.key)
        if column is None:
            if not requirement.matches({}):
                mask[:] = False
        else:
            mask &= column.matches(requirement, rows)
    return mask


def domain_sums(column: LabelColumn, amounts: Ints, among: Mask) -> tuple[Ints, Mask]:
    """Per value of a label: the sum of amounts over the nodes `among`, and whether any of them has that value."""
    chosen = among & (column.codes != ABSENT)
    codes = column.codes[chosen]
    sums: Ints = np.bincount(codes, weights=amounts[chosen], minlength=len(column.values) + 1).astype(np.int64)
    found: Mask = np.bincount(codes, minlength=len(column.values) + 1) > 0
    return sums, found  # the last entry, which ABSENT takes, is 0 and false
