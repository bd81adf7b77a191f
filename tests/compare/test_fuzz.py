"""Requests made at random from fixed seeds, asked of both: any object wrong in any way, written in any way.

`FUZZ_SECONDS=600 pytest tests/compare/test_fuzz.py` goes on for as long, `FUZZ_SEED` starts elsewhere. A failure names
its case, which the same seed makes again.
"""

import os
import random
import time

import pytest
from fuzz_moves import moves
from fuzz_requests import DRY_ONLY, NAMED, Base, base, case, load_objects
from fuzz_run import NAMESPACE, Maker, leftovers, prepare, run_case
from fuzz_values import as_json, as_yaml, mutated
from same import Both

CASES, SEQUENCES = 1500, 150
SEED = os.environ.get("FUZZ_SEED", "kybern")
SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))


@pytest.fixture(scope="module")
def both(fresh: Both) -> Both:
    """Objects that the fuzzer starts from are in the way of other tests."""
    return fresh


@pytest.fixture(scope="module")
def bases(both: Both) -> list[Base]:
    made, wrong = prepare(both)
    assert not wrong, "\n".join(wrong)
    return made


def differing(both: Both, bases: list[Base], cases: int, make: Maker = case) -> tuple[list[str], int]:
    """(what differs, how many cases were asked)."""
    found, end, number = list[str](), time.monotonic() + SECONDS, 0
    while number < cases or time.monotonic() < end:
        for request, lines, _ in run_case(both, bases, f"{SEED}-{number}", make):
            if lines:
                body = (request.body or b"").decode("utf-8", "replace")
                found.append("\n".join([f"{SEED}-{number}: {request.method} {request.path}", body[:1000], *lines[:4]]))
        number += 1
    return found, number


@pytest.mark.timeout(SECONDS + 300)
def test_requests(both: Both, bases: list[Base]) -> None:
    found, number = differing(both, bases, CASES)
    found += leftovers(both, bases)
    assert not found, f"{len(found)} of {number} differ\n" + "\n\n".join(found[:20])


@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.parametrize("rich", [False, True], ids=["of any kind", "of custom resources"])
def test_moves(both: Both, bases: list[Base], rich: bool) -> None:
    """Sequences of writes by several managers, and what is there after each."""
    chosen = [of for of in bases if of.stored and of.kind not in DRY_ONLY and (of.kind == "Rich" or not rich)]
    found, number = differing(both, chosen, SEQUENCES, moves)
    assert not found, f"{len(found)} of {number} differ\n" + "\n\n".join(found[:20])


def test_what_is_made_depends_on_the_seed_alone() -> None:
    objects = [base(obj, NAMESPACE, number) for number, obj in enumerate(load_objects(NAMESPACE))]
    made = [[mutated(random.Random(f"s-{i}"), of.obj, of.definition)[0] for i, of in enumerate(objects)] for _ in "ab"]
    assert [as_json(obj) for obj in made[0]] == [as_json(obj) for obj in made[1]]
    assert [as_yaml(obj) for obj in made[0]] == [as_yaml(obj) for obj in made[1]]
    assert {of.kind for of in objects} >= set(NAMED)
