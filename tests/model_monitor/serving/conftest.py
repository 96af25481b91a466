"""One proxy in front of one scripted server, for the tests that need nothing else."""

import pytest

from tests.support.running_proxy import running_proxy
from tests.support.scripted_server import ScriptedServer
from tests.support.served_model import write_model


@pytest.fixture(scope="module")
def upstream():
    server = ScriptedServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def proxy(upstream, tmp_path_factory):
    with running_proxy(tmp_path_factory.mktemp("proxy") / "logs", upstream.url) as running:
        yield running


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory):
    """A SavedModel that is served in several ways, see `tests.support.served_model`."""
    return write_model(tmp_path_factory.mktemp("model") / "saved")
