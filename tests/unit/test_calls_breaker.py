"""When a breaker lets calls pass."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from citebot.calls import Breaker
from citebot.calls.breaker import FAILURES_IN_A_ROW, OPEN_SECONDS, WINDOW


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def broken(time: Time) -> Breaker:
    breaker = Breaker(clock=time)
    for _ in range(FAILURES_IN_A_ROW):
        end(breaker, well=False)
    return breaker


def end(breaker: Breaker, *, well: bool | None) -> bool:
    era = breaker.admit()
    if era is not None:
        breaker.record(era, well=well)
    return era is not None


def test_five_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = Breaker(clock=Time())
    for well in (False, False, False, False, True, False, False, False, False):
        assert end(breaker, well=well)
    assert breaker.state == "closed"
    end(breaker, well=False)
    assert breaker.state == "open"
    assert breaker.admit() is None


def test_half_of_the_last_twenty_open_it() -> None:
    breaker = Breaker(clock=Time())
    for _ in range(WINDOW // 2 - 1):
        end(breaker, well=True)
        end(breaker, well=False)
    end(breaker, well=True)
    assert breaker.state == "closed"
    end(breaker, well=False)
    assert breaker.state == "open"


def test_after_a_while_one_call_may_try_and_decides() -> None:
    time = Time()
    breaker = broken(time)
    time.now = OPEN_SECONDS
    trial = breaker.admit()
    assert (breaker.state, trial is None, breaker.admit()) == ("half_open", False, None)
    breaker.record(trial or 0, well=False)
    assert breaker.state == "open"
    time.now += OPEN_SECONDS
    assert end(breaker, well=True)
    assert (breaker.state, breaker.failures) == ("closed", 0)
    assert end(breaker, well=False)
    assert breaker.state == "closed"


def test_a_trial_that_nobody_waited_for_leaves_room_for_another() -> None:
    time = Time()
    breaker = broken(time)
    time.now = OPEN_SECONDS
    assert end(breaker, well=None)
    assert breaker.state == "half_open"
    assert breaker.admit() is not None


def test_the_end_of_a_call_from_before_a_change_says_nothing() -> None:
    time = Time()
    breaker = Breaker(clock=time)
    early = [breaker.admit() or 0 for _ in range(3)]
    for _ in range(FAILURES_IN_A_ROW):
        end(breaker, well=False)
    breaker.record(early[0], well=True)
    assert breaker.state == "open"
    time.now = OPEN_SECONDS
    trial = breaker.admit()
    breaker.record(early[1], well=True)
    assert (breaker.state, breaker.admit()) == ("half_open", None)
    breaker.record(trial or 0, well=True)
    breaker.record(early[2], well=False)
    assert breaker.failures == 0


def test_a_model_that_wants_no_calls_gets_none() -> None:
    time = Time()
    breaker = Breaker(clock=time)
    breaker.pause(7.0)
    breaker.pause(3.0)
    assert (breaker.busy_for, breaker.admit()) == (7.0, None)
    time.now = 7.0
    assert breaker.admit() is not None


Step = st.tuples(st.floats(0.0, 10.0), st.sampled_from([True, True, False, False, False, None]))


@given(st.lists(Step, max_size=120))
def test_it_is_as_a_simple_model_has_it(steps: list[tuple[float, bool | None]]) -> None:
    """One call at a time; the model keeps every end since the last change, and when it opened."""
    time = Time()
    breaker = Breaker(clock=time)
    ends: list[bool] = []
    opened: float | None = None
    for wait, well in steps:
        time.now += wait
        may = opened is None or time.now - opened >= OPEN_SECONDS
        assert end(breaker, well=well) == may
        if not may or well is None:
            continue
        if opened is not None:
            opened, ends = (None, []) if well else (time.now, [])
            continue
        ends.append(well)
        last = ends[-WINDOW:]
        if ends[-FAILURES_IN_A_ROW:] == [False] * FAILURES_IN_A_ROW or (
            len(last) == WINDOW and sum(last) <= WINDOW / 2
        ):
            opened, ends = time.now, []
    assert (breaker.state == "closed") == (opened is None)
