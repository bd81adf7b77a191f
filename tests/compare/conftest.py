"""The two servers, once for all tests; a namespace of its own for each."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from same import Both
from servers import PROGRAM, kube_apiserver, kybern

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """kube-apiserver 1.36 and Kybern."""
    yield from pair(tmp_path_factory)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Another two, in which no other test has left anything."""
    yield from pair(tmp_path_factory)


def pair(tmp_path_factory: pytest.TempPathFactory, *flags: str) -> Iterator[Both]:
    """Both servers; the flags are kube-apiserver's."""
    if not PROGRAM.exists():
        pytest.skip("needs tests/compare/build.sh")
    folder = tmp_path_factory.mktemp("both")
    with kybern(folder / "kybern") as ours, kube_apiserver(folder / "kube", ours.ca, *flags) as theirs:
        yield Both(theirs, ours)


@pytest.fixture
def namespace(both: Both) -> str:
    """A new namespace in both, in which pods can be created."""
    name = f"n{next(numbers)}"
    both.same("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    both.same("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
    return name
