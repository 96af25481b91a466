"""Pushes to an object store, killed, overtaken and disturbed at every request: no part of a version is ever seen."""

import pytest

from tests.support.attack_process import attack
from tests.support.stores.running import GATEWAY

pytestmark = pytest.mark.long

SHORT_AND_FULL = {"kills": (6, 1), "parts": (3, 1), "paused": (7, 1), "faults": (6, 1), "at once": (2, 100)}


@pytest.mark.parametrize("name", SHORT_AND_FULL)
def test_a_server_that_polls_sees_whole_versions_only(name, tries, report):
    tried, broken = attack("store_attacks", name, tries(*SHORT_AND_FULL[name]), "memory")
    assert broken == []
    report(f"pushes to a store: {name}", tried, tried - len(broken))


@pytest.mark.parametrize("name", ["kills", "paused"])
def test_the_same_by_the_rules_of_google(name, tries, report):
    tried, broken = attack("store_attacks", name, tries(9, 1), "google")
    assert broken == []
    report(f"pushes by Google's rules: {name}", tried, tried - len(broken))


@pytest.mark.parametrize("name", SHORT_AND_FULL)
def test_the_same_in_front_of_a_server_that_people_run(name, tries, report):
    if not GATEWAY.exists():
        pytest.skip("`make build/versitygw` makes the server, where there is Go")
    tried, broken = attack("store_attacks", name, tries(*SHORT_AND_FULL[name]), "gateway")
    assert broken == []
    report(f"pushes to the Versity Gateway: {name}", tried, tried - len(broken))
