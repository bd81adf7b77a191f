"""How long silent clients are waited for."""

from dataclasses import dataclass

import pytest

from kybern.gateway.core.patience import Limits, Patience, State


@dataclass(eq=False)
class Client:
    position: tuple[State, int]


@pytest.mark.parametrize(("state", "limit"), [("idle", 90), ("head", 32), ("body", 60)])
def test_a_client_that_does_not_move_is_overdue(state: State, limit: int) -> None:
    patience, client = Patience(Limits()), Client((state, 1))
    assert patience.overdue([client], 1000.0) == []
    assert patience.overdue([client], 1000.0 + limit - 1) == []
    assert patience.overdue([client], 1000.0 + limit) == [client]


def test_a_client_that_moves_is_not() -> None:
    patience, client = Patience(Limits()), Client(("idle", 1))
    for number in range(10):
        client.position = ("idle", number)
        assert patience.overdue([client], 60.0 * number) == []


def test_work_and_limits_of_zero_last_for_ever() -> None:
    patience, busy, idle = Patience(Limits(idle=0)), Client(("busy", 1)), Client(("idle", 1))
    patience.overdue([busy, idle], 0.0)
    assert patience.overdue([busy, idle], 1e9) == []


def test_clients_that_are_gone_are_forgotten() -> None:
    patience, client = Patience(Limits()), Client(("idle", 1))
    patience.overdue([client], 0.0)
    patience.overdue([], 1.0)
    assert patience.overdue([client], 1000.0) == []
