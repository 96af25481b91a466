"""Hypothesis draws the same examples every time and takes as long as it takes: no test depends on luck or timing."""

import gc
import os
import sys
from collections.abc import Iterator

import pytest
from absl import flags
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from components.common.processor import tell_openblas
from tests.support.warm.starting import SHARED, start, warm

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings would hide what failed
# One thread a process, as one processor a process is there: threads that wait for work take a sixth more of it.
for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
tell_openblas()  # before any test imports NumPy, so that all processes of a run multiply alike, to the last digit
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# TensorFlow's flags read pytest's own arguments the first time one of them is asked for, and those of TFX 1.21 again in
# a pipeline; they refuse `-v` and the like. pytest has read them by now.
flags.FLAGS(["pytest"])
del sys.argv[1:]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="the attacks in full: an hour or so, see tests/attacks")


# Files whose tests share what the first of them has made, so that they stay in one process: the model that `make demo`
# trains takes longest of all.
LONGEST = ("tests/e2e/test_training.py", "tests/e2e/test_monitoring.py")
FIRST = ("tests/kubeflow/test_containers.py", *LONGEST)  # the former builds an image, and waits for it
ADOPTED = ("monitor", "watch", "live_kills", "live_faults")  # attacks on one adopted model
TOGETHER = (LONGEST, tuple(f"tests/attacks/test_{name}.py" for name in ADOPTED))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole pipelines first: they take longest, and nothing is left to run beside one that comes last."""
    items.sort(key=lambda item: (item.get_closest_marker("long") is None, not item.nodeid.startswith(FIRST)))


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """What the tests import counts as never garbage: to go through all of TFX for some takes more than half a second.

    Where Beam is among it, that looks up methods once.
    """
    gc.disable()
    yield
    if "apache_beam.transforms.core" in sys.modules:
        from tests.support.beam_methods import look_up_once

        look_up_once()
    gc.freeze()
    gc.enable()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """A file goes to one process as a whole, with those that belong to it."""
    scheduler = LoadFileScheduling(config, log)
    by_file = scheduler._split_scope
    scheduler._split_scope = lambda test: next(  # type: ignore[method-assign]
        (files[0] for files in TOGETHER if test.startswith(files)), by_file(test)
    )
    return scheduler


def pytest_configure(config: pytest.Config) -> None:
    """The processes of one run share a server of commands, which imports TFX while they collect the tests."""
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        shared = start()
        os.environ[SHARED] = str(shared.folder)
        config.add_cleanup(shared.end)


def pytest_unconfigure() -> None:
    """Ends the server that a test of this process has started."""
    if warm.cache_info().currsize:
        warm().end()
