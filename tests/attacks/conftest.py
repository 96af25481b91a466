"""Attacks: what the product promises is tried to be broken, and counted: how often it was tried, how often it held.

`pytest tests/attacks` makes the short attacks, as CI does; `make soak` (`pytest tests/attacks --soak`) the full ones,
which take an hour or so. docs/reliability.md has the figures, each with the promise that it backs.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.foreign_data import write_examples
from tests.support.grey_model import FEATURES, labelled, write_held_out
from tests.support.started_commands import Home
from tests.support.warm.starting import warm
from tests.support.watched_command import Watched

Number = TypeVar("Number", int, float)


@pytest.fixture(scope="session")
def tries(pytestconfig: pytest.Config) -> Callable[[Number, Number], Number]:
    """Of how much an attack does, the short or, with --soak, the full number."""
    soak = pytestconfig.getoption("--soak")
    return lambda short, full: full if soak else short


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a sentence, whatever pytest captures."""

    def say(sentence: str) -> None:
        with capsys.disabled():
            print(f"\n{sentence}")  # noqa: T201 - what an attack is for

    return say


@pytest.fixture
def report(tell: Callable[[str], None]) -> Callable[[str, int, int], None]:
    """Prints "NAME: tried N, held M" and fails unless all that was tried held."""

    def say(name: str, tried: int, held: int) -> None:
        tell(f"{name}: tried {tried:,}, held {held:,}")
        assert tried > 0, f"{name}: nothing was tried"
        assert held == tried, f"{name}: tried {tried}, held {held}"

    return say


@pytest.fixture(scope="session")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a baseline, and two spans of its logs."""
    home = Home(tmp_path_factory.mktemp("monitor"))
    write_held_out(home.folder / "held_out")
    write_examples(home.folder / "traffic" / "a.tfrecord.gz", labelled(400, seed=5), FEATURES)
    model = ("--saved-model", "models/7", "--examples", "held_out/*.tfrecord*")
    made = warm().call("python", "-m", "tests.support.grey_model", str(home.folder / "models" / "7"))
    assert made.returncode == 0, made.stderr
    for command in (
        ("init", *model, "-o", "monitor.yaml"),
        ("adopt", *model, "--spec", "monitor.yaml"),
        ("replay", "--examples", "traffic/*", "--logs", "logs", "--count", "200"),
        ("replay", "--examples", "traffic/*", "--logs", "logs", "--count", "200", "--seed", "1"),
    ):
        code, text = home.run(*command)
        assert code == 0, text
    return home.folder


@pytest.fixture
def watched(adopted: Path, request: pytest.FixtureRequest) -> Watched:
    home = Watched(adopted, request.node.name.split("[")[0])
    for folder in (home.logs, home.root):
        shutil.rmtree(folder, ignore_errors=True)
    home.logs.mkdir()
    return home
