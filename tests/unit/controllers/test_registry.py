"""--controllers, as kube-controller-manager reads it."""

import pytest

from kybern.controllers.flags import split_controllers
from kybern.controllers.registry import CONTROLLERS, UnknownController, select_controllers

KNOWN = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("*", ["a", "b", "c"]),
        ("*,-b", ["a", "c"]),
        ("b", ["b"]),
        ("b, c", ["b", "c"]),
        ("-b", []),
        ("b,-b", []),
        ("", []),
    ],
)
def test_select(text: str, wanted: list[str]) -> None:
    assert select_controllers(split_controllers(text), KNOWN) == wanted


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownController, match="deploymentt"):
        select_controllers(["*", "-deploymentt"], [*CONTROLLERS])


def test_the_garbage_collector_comes_last() -> None:
    assert [*CONTROLLERS][-1] == "garbage-collector-controller"
