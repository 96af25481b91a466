"""Attacks: what the product promises is tried to be broken, and counted: how often it was tried, how often it held.

`pytest tests/attacks` makes the short attacks, as CI does; `make soak` (`pytest tests/attacks --soak`) the full ones,
which take an hour or so. docs/reliability.md has the figures, each with the promise that it backs.
"""

from collections.abc import Callable
from typing import TypeVar

import pytest

Number = TypeVar("Number", int, float)


@pytest.fixture(scope="session")
def tries(pytestconfig: pytest.Config) -> Callable[[Number, Number], Number]:
    """Of how much an attack does, the short or, with --soak, the full number."""
    soak = pytestconfig.getoption("--soak")
    return lambda short, full: full if soak else short


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str, int, int], None]:
    """Prints "NAME: tried N, held M", whatever pytest captures, and fails unless all that was tried held."""

    def say(name: str, tried: int, held: int) -> None:
        with capsys.disabled():
            print(f"\n{name}: tried {tried:,}, held {held:,}")  # noqa: T201 - what an attack is for
        assert tried > 0, f"{name}: nothing was tried"
        assert held == tried, f"{name}: tried {tried}, held {held}"

    return say
