"""Pushes and log writers killed at every system call, and several at once: nothing is partial, lost or doubled."""

import pytest

from tests.support import attacks_at_once, kill_attacks
from tests.support.attack_process import attack

pytestmark = pytest.mark.long


@pytest.mark.parametrize("name", kill_attacks.ATTACKS)
def test_killed_at_every_system_call(name, tries, report):
    tried, broken = attack("kill_attacks", name, tries(23, 1))
    assert broken == []
    report(f"kills at every system call: {name}", tried, tried - len(broken))


@pytest.mark.parametrize("name", attacks_at_once.ATTACKS)
def test_several_at_once_some_of_them_killed(name, tries, report):
    tried, broken = attack("attacks_at_once", name, tries(3, 300), 0)
    assert broken == []
    report(f"four at once, two of them killed: {name}", tried, tried - len(broken))
