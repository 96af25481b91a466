"""Hypothesis draws the same examples every time and takes as long as it takes: no test depends on luck or timing."""

import os

import pytest
from absl import flags
from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings would hide what failed
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# TensorFlow's flags read pytest's own arguments the first time one of them is asked for, and refuse `-v` and the like.
flags.FLAGS(["pytest"])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="the attacks in full: an hour or so, see tests/attacks")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole pipelines first: they take longest, and nothing is left to run beside one that comes last."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)
