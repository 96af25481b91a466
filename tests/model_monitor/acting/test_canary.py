"""When a version that was just pushed gives way: on the same traffic, and at the rate that was asked for."""

from dataclasses import replace

import numpy as np
import pytest

from components.common.proportion import Proportion
from components.common.verdict_words import State
from model_monitor.acting.canary import Pair, p_value, worse
from model_monitor.acting.settings import RollBackPolicy
from tests.model_monitor.metrics.conftest import RECORD

POLICY = RollBackPolicy(when_worse=True, windows=4, false_alarm_rate=0.01)


def window(state: State, right: int = 900, total: int = 1000, number: int = 1):
    return replace(
        RECORD,
        window=number,
        state=state,
        checks={"accuracy": state.value},
        estimated=Proportion.of(right, total),
        measured=None,
    )


@pytest.mark.parametrize(
    ("new", "old", "act"),
    [
        ((State.FINE, 900), (State.FINE, 900), False),
        ((State.DEGRADED, 700), (State.FINE, 900), True),
        ((State.DEGRADED, 700), (State.CHANGED, 880), True),
        ((State.DEGRADED, 700), (State.DEGRADED, 710), False),  # the traffic is at fault
        ((State.DEGRADED, 885), (State.FINE, 900), False),  # by chance
        ((State.CHANGED, 700), (State.FINE, 900), False),  # not beyond what is allowed
        ((State.INVALID, 700), (State.FINE, 900), True),
        ((State.INVALID, 700), (State.INVALID, 900), False),  # the clients are at fault
        ((State.UNDECIDED, 700), (State.FINE, 900), True),  # its estimate is below what is allowed, the other's is not
        ((State.UNDECIDED, 700), (State.CHANGED, 880), True),
        ((State.UNDECIDED, 840), (State.FINE, 900), False),  # its interval reaches what is allowed
        ((State.UNDECIDED, 700), (State.UNDECIDED, 710), False),  # the traffic is at fault
        ((State.UNDECIDED, 700), (State.DEGRADED, 600), False),
        ((State.DEGRADED, 700), (State.UNDECIDED, 900), False),  # nobody knows of the other
    ],
)
def test_it_gives_way_where_it_alone_is_worse(new, old, act):
    decision = worse([Pair(window(*new), window(*old))], POLICY)
    assert decision.act is act
    assert ("on the same requests" in decision.why) is act


def test_an_accuracy_that_is_not_known_is_no_reason():
    new, old = window(State.DEGRADED, 700), window(State.FINE, 900)
    for unknown in (None, Proportion(0.7), Proportion(float("nan"), 0.1, 0.2, 10)):
        assert not worse([Pair(replace(new, estimated=unknown), old)], POLICY).act


def test_what_is_undecided_for_another_reason_is_no_reason():
    new, old = window(State.UNDECIDED, 700), window(State.FINE, 900)
    assert worse([Pair(new, old)], POLICY).act
    for known in ({"checks": {"accuracy": "fine", "data": "undecided"}}, {"checks": None}, {"least_accuracy": None}):
        assert not worse([Pair(replace(new, **known), old)], POLICY).act


def test_windows_after_the_period_are_not_looked_at():
    fine, bad = Pair(window(State.FINE), window(State.FINE)), Pair(window(State.DEGRADED, 500), window(State.FINE))
    assert worse([fine, fine, fine, bad], POLICY).act
    assert not worse([fine, fine, fine, fine, bad], POLICY).act
    assert worse([fine], POLICY).why == "no worse so far, 3 windows to go"


def test_a_version_that_is_no_worse_rings_no_more_often_than_allowed():
    """Also where every window of it is called degraded, so that the accuracies alone decide."""
    rng = np.random.default_rng(4)
    rate = replace_rate(0.05)
    rung = 0
    for _ in range(2000):
        counts = rng.binomial(500, 0.85, (rate.windows, 2))
        pairs = [Pair(window(State.DEGRADED, int(a), 500), window(State.FINE, int(b), 500)) for a, b in counts]
        rung += worse(pairs, rate).act
    assert 0.03 < rung / 2000 < 0.065


def replace_rate(rate: float) -> RollBackPolicy:
    return RollBackPolicy(when_worse=True, windows=4, false_alarm_rate=rate)


def test_the_chance_is_that_of_a_normal_difference():
    new, old = Proportion.of(850, 1000), Proportion.of(900, 1000)
    assert p_value(new, old) == pytest.approx(0.0003, rel=0.5)
    assert p_value(old, new) > 0.99
    assert p_value(old, old) == 0.5
