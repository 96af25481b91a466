"""Leftovers of others in the way of pushes and log writers, and machines that lack what they need."""

import pytest

from tests.support import leftover_attacks
from tests.support.attack_process import attack

pytestmark = pytest.mark.long


@pytest.mark.parametrize("name", leftover_attacks.ATTACKS)
def test_nothing_in_the_way_stops_or_misleads(name, report):
    """Nothing hangs, no file outside is written to, no version is partial, and counts say what is there."""
    tried, broken = attack("leftover_attacks", name)
    assert broken == []
    report(name, tried, tried - len(broken))
