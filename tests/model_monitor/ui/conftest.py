"""The pages of a store of made-up runs, asked for without a server."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.test import Client, TestResponse

from model_monitor.reading.history import History
from model_monitor.reading.run_store import open_store
from model_monitor.ui.app import Application, hosts_for
from model_monitor.ui.pages import Site
from tests.support.timeline_story import write_timeline


@dataclass(frozen=True)
class Pages:
    """What a browser on this machine is answered."""

    metadata: Path

    @property
    def root(self) -> Path:
        return self.metadata.parent

    def history(self) -> History:
        return History(open_store(self.metadata))

    def ask(
        self, path: str, method: str = "GET", host: str = "127.0.0.1:6007", headers=(), buffered=True, **changes
    ) -> TestResponse:
        application = Application(Site(self.metadata, self.root), hosts=hosts_for("127.0.0.1"), **changes)
        return Client(application).open(path, method=method, headers={"Host": host, **dict(headers)}, buffered=buffered)

    def text(self, path: str) -> str:
        """The page, which there has to be."""
        answer = self.ask(path)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture(scope="session")
def told(tmp_path_factory) -> Pages:
    """Eighteen spans, three pushes and a blocked one; for tests that only read."""
    return Pages(write_timeline(tmp_path_factory.mktemp("told"), 18).metadata)
