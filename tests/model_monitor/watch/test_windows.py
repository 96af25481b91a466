"""Which window a record goes into and when a window is closed, without a file or a clock."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_monitor.watch.windows import MOST_OTHERS, Arrival, Limits, Moment, Window, Windows

NOON = 1_795_700_000.0


def at(seconds: float, *, boot: str = "a", wall: float | None = None) -> Moment:
    return Moment(NOON + seconds if wall is None else wall, 100 + seconds, boot)


def windows(examples: int = 10, minutes: float | None = None, lateness: float = 60.0, least: int = 0) -> Windows:
    return Windows(Limits(examples, None if minutes is None else 60 * minutes, lateness, least))


def fill(state: Windows, *arrivals: Arrival, seconds: float = 0.0) -> list[Window]:
    return [each for arrival in arrivals for each in state.place(arrival, at(seconds)) if each.closed]


def test_a_window_is_closed_by_the_record_that_fills_it():
    state = windows(10)
    closed = fill(state, *[Arrival(1, 4)] * 6)
    assert [(each.number, each.examples, each.records, each.closed) for each in closed] == [
        (1, 12, 3, "examples"),  # the rows of a request stay together
        (2, 12, 3, "examples"),
    ]
    assert state.open == {}


def test_a_window_is_closed_so_long_after_its_first_record():
    state = windows(10, minutes=5)
    fill(state, Arrival(1))
    state.place(Arrival(1), at(200))
    assert state.due(at(299.9)) == []
    assert state.seconds_left(at(299.0)) == 1.0
    (closed,) = state.due(at(300.0))
    assert (closed.number, closed.examples, closed.closed) == (1, 2, "minutes")
    assert state.due(at(1e6)) == []  # an empty window is never closed


@pytest.mark.parametrize("wall", [NOON - 86400, NOON + 86400])
def test_a_clock_that_is_set_neither_closes_a_window_nor_keeps_it_open(wall):
    state = windows(10, minutes=5)
    fill(state, Arrival(1))
    assert state.due(at(299, wall=wall)) == []
    assert [each.closed for each in state.due(at(300, wall=wall))] == ["minutes"]


def test_after_another_boot_the_wall_clock_tells_as_far_as_it_can():
    opened = at(0)
    assert at(50, boot="b").since(opened) == 50
    assert at(50, boot="b", wall=NOON - 9).since(opened) == 0  # set back meanwhile: it is no later than it was


def test_what_was_late_goes_into_a_late_window():
    state = windows(3, lateness=60)
    fill(state, *[Arrival(1, timestamp=NOON)] * 3)
    (window,) = state.place(Arrival(1, timestamp=NOON - 60), at(0))
    assert (window.number, window.late) == (2, False)  # no later than is allowed
    (window,) = state.place(Arrival(1, timestamp=NOON - 61), at(0))
    assert (window.number, window.late) == (3, True)
    (window,) = state.place(Arrival(1, timestamp=NOON - 6100), at(0))
    assert (window.number, window.examples) == (3, 2)
    (window,) = state.place(Arrival(1), at(0))  # without a time nothing is late
    assert window.number == 2


def test_a_late_window_is_closed_once_nothing_is_late_any_more():
    state = windows(3, lateness=60)
    fill(state, *[Arrival(1, timestamp=NOON)] * 3, Arrival(1, timestamp=NOON - 99))
    closed = fill(state, *[Arrival(1, timestamp=NOON)] * 3)
    assert [(each.number, each.late, each.closed) for each in closed] == [
        (3, False, "examples"),
        (2, True, "superseded"),
    ]


def test_a_server_whose_clock_is_ahead_makes_nobody_else_late():
    state = windows(3, lateness=60)
    (closed,) = fill(state, Arrival(1, timestamp=NOON), Arrival(1, timestamp=NOON + 86400), Arrival(1))
    assert (closed.last_request, closed.until) == (NOON + 86400, NOON)
    assert state.place(Arrival(1, timestamp=NOON), at(1))[0].late is False


def test_what_comes_after_the_clock_was_set_back_is_not_late():
    state = windows(1, lateness=60)
    fill(state, Arrival(1, timestamp=NOON), seconds=0)
    back = at(1, wall=NOON - 86400)
    assert state.place(Arrival(1, timestamp=NOON - 86400), back)[0].late is False
    assert state.place(Arrival(1, timestamp=NOON - 2 * 86400), back)[0].late is True  # by the clock as it is now


def test_two_versions_at_once_have_windows_of_their_own():
    """A canary: the old version goes on being asked."""
    state = windows(4)
    closed = fill(state, *[Arrival(1), Arrival(2)] * 8)
    assert [(each.version, each.examples, each.closed) for each in closed] == [
        (version, 4, "examples") for version in (1, 2, 1, 2)
    ]


def test_a_version_that_was_replaced_leaves_no_window_open():
    state = windows(4)
    closed = fill(state, Arrival(1), *[Arrival(2)] * 4)
    assert [(each.number, each.version, each.closed) for each in closed] == [(2, 2, "examples"), (1, 1, "superseded")]


def test_the_few_that_an_old_version_answered_last_are_passed_over_unless_one_is_damaged():
    state = windows(4, least=2)
    closed = fill(state, Arrival(1), *[Arrival(2)] * 4)
    assert [(each.number, each.closed) for each in closed] == [(2, "examples"), (1, "passed over")]
    state = windows(4, least=2)
    closed = fill(state, Arrival(1, damaged=True), *[Arrival(2)] * 4)
    assert [(each.number, each.closed) for each in closed] == [(2, "examples"), (1, "superseded")]


def test_a_window_of_what_another_version_answered_has_an_end():
    state = windows(2)
    closed = fill(state, *[Arrival(1, examples=0)] * 2 * MOST_OTHERS)
    assert [(each.examples, each.others, each.closed) for each in closed] == [(0, 2 * MOST_OTHERS, "records")]


ARRIVALS = st.builds(
    Arrival,
    version=st.sampled_from([1, 2]),
    examples=st.integers(0, 7),
    timestamp=st.none() | st.integers(-300, 300).map(lambda seconds: NOON + seconds),
    damaged=st.booleans(),
)
EVENTS = st.lists(ARRIVALS | st.floats(0, 200).map(abs), max_size=80)


@given(EVENTS, st.integers(1, 9), st.none() | st.floats(0.1, 5))
def test_every_record_is_in_one_window_whatever_comes(events, examples, minutes):
    state, now = windows(examples, minutes), 0.0
    closed: list[Window] = []
    for event in events:
        if isinstance(event, float):
            now += event
            closed += state.due(at(now))
        else:
            closed += [each for each in state.place(event, at(now)) if each.closed]
        assert all(each.examples < examples for each in state.open.values())
        # what a journal keeps is all that is needed to go on
        numbers = max([0, *(each.number for each in [*closed, *state.open.values()])])
        again = Windows.of(state.limits, state.open.values(), _ends(closed), numbers)
        assert (again.open, again.ends, again.number) == (state.open, state.ends, state.number)
    closed += state.end()
    arrivals = [event for event in events if isinstance(event, Arrival)]
    assert sum(each.records for each in closed) == len(arrivals)
    assert sum(each.examples for each in closed) == sum(each.examples for each in arrivals)
    assert sum(each.damaged for each in closed) == sum(each.damaged for each in arrivals)
    assert sorted(each.number for each in closed) == list(range(1, len(closed) + 1))
    assert not any(each.closed == "examples" and each.examples < examples for each in closed)
    for each in closed:
        times = (each.first_request or -math.inf, each.last_request or math.inf)
        assert times[0] <= times[1]


def _ends(closed: list[Window]) -> dict[int, float]:
    """As the journal tells them."""
    ends: dict[int, float] = {}
    for each in closed:
        if not each.late and each.until is not None:
            ends[each.version] = max(each.until, ends.get(each.version, each.until))
    return ends
