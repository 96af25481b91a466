"""The training pipeline through the command line: pushed, blocked by metrics, blocked by data, and the right baseline.

One story of five runs in one pipeline root, told once; each test looks at its part of it.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.common import baseline_bundle
from pipelines.cifar10 import dataset
from tests.support.code_blocks import labels, named
from tests.support.printed import too_wide
from tests.support.sample_copies import copy_of_sample

from .conftest import EPOCHS, REPOSITORY, SAMPLE, Outcome, train

pytestmark = pytest.mark.long


def shuffle_labels(records: np.ndarray) -> None:
    records[:, 0] = np.random.default_rng(0).permutation(records[:, 0])


def blacken_a_tenth(records: np.ndarray) -> None:
    records[::10, 1:] = 0


@pytest.fixture(scope="module")
def again(root: Path, good: Outcome) -> Outcome:
    return train(root, SAMPLE, EPOCHS)


@pytest.fixture(scope="module")
def shuffled(root: Path, again: Outcome) -> Outcome:
    data = copy_of_sample(root.parent / "shuffled", shuffle_labels, training=1000, held_out=600)
    return train(root, data, "trainer.epochs=1")


@pytest.fixture(scope="module")
def black(root: Path, shuffled: Outcome) -> Outcome:
    return train(root, copy_of_sample(root.parent / "black", blacken_a_tenth), EPOCHS)


# What is not asked of the Trainer, whose model is there already.
OTHER_SETTINGS = (EPOCHS, "monitor.false_alarm_rate=0.02")


@pytest.fixture(scope="module")
def second(root: Path, black: Outcome) -> Outcome:
    return train(root, SAMPLE, *OTHER_SETTINGS)


def test_a_good_model_is_pushed_with_its_bundle(root: Path, good: Outcome):
    assert good.code == 0, good.output
    assert len(good.versions) == 1
    version = root / "serving" / good.versions[0]
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    scores = tf.saved_model.load(str(version)).signatures["serving_default"](image=tf.constant(images))
    np.testing.assert_allclose(scores["probabilities"].numpy().sum(1), 1, atol=1e-4)
    bundle = baseline_bundle.newest(str(root / "serving"))
    assert bundle is not None
    assert bundle.manifest.judged_against in (None, "")
    assert f" {version}\n" in good.output


def test_readme_shows_what_the_demo_prints(good: Outcome):
    shown = named("README.md", "the demo's output").text
    assert labels(shown)
    assert labels(shown) - labels(good.output) == set()


def test_the_two_commands_of_readme_are_the_pipeline_of_this_story_and_these_tests():
    for block in (named("README.md", "the two commands"), named("docs/benchmarks.md", "the demo")):
        recipes = {command: make_says(command) for command in block.commands}
        assert recipes["make demo"] == ".venv/bin/model-monitor train --dataset sample"
        assert "pytest" in recipes.get("make test", "pytest")
    assert dataset.resolve("sample") == SAMPLE


def make_says(command: str) -> str:
    """The last command that a `make` would run."""
    asked = ["make", "-n", "--no-print-directory", *command.split()[1:]]
    # a `make` that runs this test has told its children how it was called, and which environment it runs them in
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "VENV"))}
    done = subprocess.run(asked, cwd=REPOSITORY, env=alone, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_the_output_is_a_table_and_no_log(good: Outcome):
    for heading in ("Data", "Schema check", "Accuracy", "Gate", "Pushed", "Results"):
        assert heading in good.output
    for noise in ("WARNING", "INFO:", "absl", "FutureWarning", "cuda", "Traceback"):
        assert noise not in good.output
    assert too_wide(good.output) == []


def test_an_unchanged_run_is_all_cache_hits_and_pushes_nothing_new(good: Outcome, again: Outcome):
    assert again.code == 0, again.output
    assert {name: node.cached for name, node in again.run.nodes.items()} == dict.fromkeys(good.run.nodes, True)
    assert again.versions == good.versions


def test_a_model_trained_on_shuffled_labels_is_blocked_by_tfma(good: Outcome, shuffled: Outcome):
    assert shuffled.code == 2, shuffled.output
    assert shuffled.versions == good.versions
    blocking = [v for v in json.loads(shuffled.reasons)["verdicts"] if v["outcome"] != "passed"]
    assert [v["gate"] for v in blocking] == ["evaluation"]
    assert "accuracy" in blocking[0]["reason"]


def test_black_images_block_the_push_though_the_model_is_good(good: Outcome, black: Outcome):
    assert black.code == 2, black.output
    assert black.versions == good.versions
    blocking = [v for v in json.loads(black.reasons)["verdicts"] if v["outcome"] != "passed"]
    assert {v["gate"] for v in blocking} == {"anomalies"}
    assert "image_" in blocking[0]["reason"]
    assert "image_" in black.output


def test_the_next_baseline_is_the_pushed_model_and_not_a_blocked_one(root: Path, good: Outcome, second: Outcome):
    assert second.code == 0, second.output
    assert second.run.node("Trainer").cached
    pushed = root / "serving" / good.versions[0]
    imported = second.run.node("BaselineImporter").output("model")
    assert imported.properties["bundle_uri"] == str(pushed)
    assert len(second.versions) == 2
    bundle = baseline_bundle.newest(str(root / "serving"))
    assert bundle.manifest.judged_against == str(pushed)


def test_a_repeated_run_whose_version_is_gone_does_not_count_as_pushed(root: Path, second: Outcome):
    shutil.rmtree(second.versions[-1])
    repeated = train(root, SAMPLE, *OTHER_SETTINGS)
    assert repeated.code == 2, repeated.output  # the run did not fail, and what became of its model is undecided
    assert "is gone from the serving folder" in repeated.words
