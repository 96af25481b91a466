"""A tiny model with everything that a push wants beside it. What imports TFX does so in its fixture."""

from pathlib import Path

import pytest

from tests.support.stores.fixtures import bucket, store  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    from tests.support.pushable import save_model

    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def inputs(tmp_path, model):
    """Inputs of AtomicPusher: a blessed model, statistics of two splits and of the baseline, schema and evaluation."""
    from tests.support.pushable import write_inputs

    return write_inputs(tmp_path, model)


@pytest.fixture
def serving(tmp_path) -> Path:
    return tmp_path / "serving"
