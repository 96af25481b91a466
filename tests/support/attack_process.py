"""Attacks that run in a process of their own, which says on its output how often it tried and what did not hold."""

import json
import subprocess
import sys


def attack(module: str, *arguments: object) -> tuple[int, list[str]]:
    """How often an attack of `tests.support` tried, and what did not hold."""
    command = [sys.executable, "-m", f"tests.support.{module}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return found["tried"], found["broken"]
