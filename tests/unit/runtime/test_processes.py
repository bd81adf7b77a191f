"""Restart delays."""

from kybern.runtime.processes import FORGIVEN_AFTER, LONGEST_DELAY, Backoff


def test_delays_double_up_to_the_longest() -> None:
    state, delays = Backoff(), []
    for _ in range(10):
        state, delay = state.after_exit(ran_seconds=1.0)
        delays.append(delay)
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == LONGEST_DELAY


def test_a_long_run_forgives() -> None:
    state = Backoff(crashes=6)
    state, delay = state.after_exit(ran_seconds=FORGIVEN_AFTER)
    assert (state.crashes, delay) == (1, 0.1)
