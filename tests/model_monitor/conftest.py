"""A store of made-up runs, with their files, that the tests of the commands read."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from model_monitor.reading.history import History
from model_monitor.reading.run_store import Run, open_store
from tests.support.example_runs import FEATURES, Story


@dataclass(frozen=True)
class Stored:
    """A store, and the runs in it by their run ids."""

    story: Story

    @property
    def metadata(self) -> Path:
        return self.story.metadata

    def history(self, pipeline: str = "") -> History:
        """Read anew each time: a test may have changed the files."""
        return History(open_store(self.metadata), pipeline)

    def run(self, run_id: str) -> Run:
        return self.history().run(run_id)


def tell(root: Path) -> Stored:
    """Runs of TFX's penguin pipeline, of one with our gate, and of monitoring."""
    story = Story(root)
    story.penguin("penguin-1")
    served = str(next((root / "serving").iterdir()))
    story.penguin("penguin-2", accuracy=0.5)
    story.penguin("penguin-3", accuracy=0.4)
    story.penguin("penguin-4", missing=FEATURES[0])
    story.penguin("penguin-5", failed="StatisticsGen")
    story.gated("gated-1")
    story.gated("gated-2", missing=FEATURES[1])
    story.span("span-1", 1, bundle=served)
    story.span("span-2", 2, changed=("image_noise",), bundle=served)
    story.span("span-3", 3, changed=("image_noise", "image_sharpness"), bundle=served)
    story.span("span-4", 4, few=True, bundle=served)
    return Stored(story)


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """For tests that only read."""
    return tell(tmp_path_factory.mktemp("stored"))


@pytest.fixture
def fresh(stored: Stored, tmp_path: Path) -> Stored:
    """A copy, for tests that damage files or add runs."""
    return Stored(stored.story.copied(tmp_path / "fresh"))
