"""Real artifacts for the gate. What imports TFX does so in its fixture: tests without it start in an instant."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def saved():
    """Saves a module as a `Model` artifact: (module, folder) -> artifact."""
    from tests.support.gate import save

    return save


@pytest.fixture(scope="session")
def classifier():
    from tests.support.gate import Classifier

    return Classifier


@pytest.fixture(scope="session")
def new_artifact():
    """Makes an artifact: (type, folder, properties) -> artifact."""
    from tests.support.gate import artifact

    return artifact


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("gate")


@pytest.fixture(scope="session")
def models(folder, saved, classifier):
    """A good model and one that is bad at class 3, as `Model` artifacts."""
    return {
        "good": saved(classifier(), folder / "good"),
        "bad_at_3": saved(classifier(wrong=3), folder / "bad_at_3"),
    }


@pytest.fixture(scope="session")
def examples(folder):
    from tests.support.gate import write_examples

    return write_examples(folder)


@pytest.fixture(scope="session")
def evaluate(folder, models, examples):
    """Runs TFX's Evaluator: (model, baseline or None) -> (ModelEvaluation, ModelBlessing). Remembers."""
    from tests.support.gate import run_evaluator

    done = {}

    def run(model: str, baseline: str | None = None):
        key = (model, baseline)
        if key not in done:
            done[key] = run_evaluator(folder / f"evaluation{len(done)}", models, examples, key)
        return done[key]

    return run
