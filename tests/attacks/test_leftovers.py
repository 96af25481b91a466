"""Leftovers of others in the way of pushes and log writers, and machines that lack what they need."""

import json
import subprocess
import sys

import pytest

from tests.support import leftover_attacks


@pytest.mark.parametrize("name", leftover_attacks.ATTACKS)
def test_nothing_in_the_way_stops_or_misleads(name, report):
    """Nothing hangs, no file outside is written to, no version is partial, and counts say what is there."""
    command = [sys.executable, "-m", "tests.support.leftover_attacks", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["broken"] == []
    report(name, found["tried"], found["tried"] - len(found["broken"]))
