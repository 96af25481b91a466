"""Labels that are not of the model's classes are undecided, with the reason; never a window that nothing can fail."""

import json
from pathlib import Path

import numpy as np
import pytest
from tfx.types import artifact_utils, standard_artifacts

from components.common.records.performance import Performance
from components.common.verdict import Outcome
from components.performance_estimator.executor import Executor
from tests.support.described_images import write_statistics
from tests.support.sample_images import CLASSES, scores, shuffled
from tests.support.specs import model_spec

HELD_OUT, SERVED = 1000, 400


@pytest.fixture(scope="module")
def pool():
    images = shuffled()[: HELD_OUT + SERVED]
    return images, scores(images)


@pytest.fixture
def run(tmp_path, pool):
    """Runs the executor on held-out images with these labels, and a window with these scores."""
    images, _ = pool

    def execute(labels, window=None, **spec):
        baseline = write_statistics(tmp_path / "known", {"eval": images[:HELD_OUT]}, label=[[each] for each in labels])
        others = {} if window is None else {"probabilities": list(window)}
        served = write_statistics(tmp_path / "window", {"serving": images[HELD_OUT:]}, **others)
        output = standard_artifacts.ExampleAnomalies()
        output.uri = str(tmp_path / "anomalies")
        properties = {
            "labels_file": "",
            "split": "serving",
            "baseline_split": "eval",
            "estimator": "atc_with_transport",
            "max_accuracy_drop": 0.05,
            "spec": json.dumps(model_spec(classes=CLASSES).to_record() | spec),
            "seed": 0,
        }
        inputs = {"statistics": [served], "baseline_statistics": [baseline]}
        Executor().Do(inputs, {"anomalies": [output]}, properties)
        assert artifact_utils.decode_split_names(output.split_names) == ["serving"]
        return Performance.from_json(Path(output.uri, "performance.json").read_text())

    return execute


def test_labels_that_are_counted_from_1_are_undecided_and_named(run, pool):
    found = run((pool[1][:HELD_OUT].argmax(axis=1) + 1).tolist())
    assert found.check.outcome is Outcome.UNDECIDED
    out_of_range = int((pool[1][:HELD_OUT].argmax(axis=1) == CLASSES - 1).sum())
    told = f"Of the baseline, {out_of_range} of 1,000 labels cannot be used: {out_of_range} that mean no class, such as"
    assert found.check.reason.startswith(f"{told} {CLASSES}; a label must be a class, such as 'class 0', or its number")
    agreed = f"{HELD_OUT - out_of_range} of {HELD_OUT - out_of_range} labels if they are counted from 1"
    assert agreed in found.check.reason
    assert "say `labels_from: 1`" in found.check.reason


def test_labels_from_1_that_all_are_classes_are_told_by_the_answers(run, pool):
    """As where a class of the model, the last, is never answered."""
    found = run(np.minimum(pool[1][:HELD_OUT].argmax(axis=1) + 1, CLASSES - 1).tolist())
    assert found.check.outcome is Outcome.UNDECIDED
    assert found.check.reason.startswith("The baseline's labels are counted otherwise than its classes: the scores agr")


def test_a_baseline_of_accuracy_0_makes_no_window_fine(run, pool):
    found = run(((pool[1][:HELD_OUT].argmax(axis=1) + 2) % CLASSES).tolist())
    assert found.check.outcome is Outcome.UNDECIDED
    assert found.check.reason.startswith("The baseline's accuracy is 0.000 on 1,000 examples, and 0.05 less is allowed")
    assert found.estimate is None


def test_accuracy_of_half_of_the_examples_says_so(run, pool):
    broken = pool[1][HELD_OUT:].copy()
    broken[::2] = 0
    found = run(pool[1][:HELD_OUT].argmax(axis=1).tolist(), broken)
    assert found.check.outcome is Outcome.PASSED
    assert found.check.reason.startswith("Estimated accuracy on 200 of 400 examples (the others have no probabilities)")
