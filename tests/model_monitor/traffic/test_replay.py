"""The embedded sample, scored by a real (small) SavedModel in a serving folder and logged by the real writer."""

import argparse
import csv
import io
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console
from tensorflow_serving.apis import prediction_log_pb2

from components.common.errors import MonitorError
from components.serving_log_writer.log_fields import REQUEST_ID
from model_monitor import cli
from model_monitor.commands import replay
from model_monitor.traffic import shifts
from pipelines.cifar10 import dataset
from pipelines.cifar10 import images as images_of
from pipelines.cifar10.classifier import FEATURES
from pipelines.cifar10.config import default_spec
from pipelines.cifar10.serving_signatures import EMBEDDING_SIZE, Projection, export
from tests.support.bundles import write_bundle
from tests.support.code_blocks import named
from tests.support.printed import words
from tests.support.tfrecord_files import records_of

CLASSES = [f"class {number}" for number in range(10)]


def small_model():
    """Probabilities from the mean colour alone."""
    keras.utils.set_random_seed(1)
    image = keras.Input((32, 32, 3), dtype="uint8")
    features = keras.layers.Rescaling(1 / 255)(image)
    features = keras.layers.GlobalAveragePooling2D()(features)
    features = keras.layers.Dense(EMBEDDING_SIZE, name=FEATURES)(features)
    return keras.Model(image, keras.layers.Dense(10, activation="softmax")(features))


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    """A serving folder with an older version that cannot be loaded and a newer one that can."""
    folder = tmp_path_factory.mktemp("serving")
    (folder / "9").mkdir()
    identity = Projection(np.zeros(EMBEDDING_SIZE, np.float32), np.eye(EMBEDDING_SIZE, dtype=np.float32))
    export(small_model(), identity, CLASSES, str(folder / "10"))
    write_bundle(folder / "10", default_spec())
    return folder


@pytest.fixture(scope="module")
def sample():
    return images_of.read(dataset.SAMPLE, "serving")


def run(serving, logs, *arguments):
    """What is printed."""
    parser = argparse.ArgumentParser()
    replay.add_arguments(parser)
    printed = io.StringIO()
    options = parser.parse_args(["--serving", str(serving), "--logs", str(logs), *map(str, arguments)])
    assert replay.run_on(options, Console(file=printed, width=100)) == 0
    return printed.getvalue()


def test_the_serving_folder_is_that_of_the_settings(serving, tmp_path):
    parser = argparse.ArgumentParser()
    replay.add_arguments(parser)
    options = ["--logs", str(tmp_path), "--count", "20", "--set", f"serving_dir={serving}", "--set", "labels=later.csv"]
    assert replay.run_on(parser.parse_args(options), Console(file=io.StringIO())) == 0


def read(logs, span):
    records = records_of(sorted(Path(logs, str(span)).glob("*")))
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]


def tensor(log, name):
    predict = log.predict_log
    return tf.make_ndarray({**predict.request.inputs, **predict.response.outputs}[name])


def images(logs, span):
    return np.concatenate([tensor(log, "image") for log in read(logs, span)])


def test_logs_the_whole_split_as_it_was_sent_and_answered(serving, sample, tmp_path):
    printed = run(serving, tmp_path, "--labels", tmp_path / "labels.csv", "--batch-size", 64)
    logs = read(tmp_path, 1)
    np.testing.assert_array_equal(images(tmp_path, 1), sample[0])
    assert [len(tensor(log, "image")) for log in logs] == [64] * 15 + [40]
    scored = tf.saved_model.load(str(serving / "10")).signatures["serving_default"](image=tf.constant(sample[0]))
    for name, expected in scored.items():
        found = np.concatenate([tensor(log, name) for log in logs])
        if found.dtype == np.float32:
            np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
        else:
            np.testing.assert_array_equal(found, expected.numpy())
    spec = logs[0].log_metadata.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("model", 10, "serving_default")
    right = (scored["class_id"].numpy() == sample[1]).mean()
    told, place = printed.split("Logs: ")
    assert words(told) == (
        f"Span 1: 1,000 images of split serving in 16 requests, as they are. Version 10 got {right:.1%} right."
    )
    assert place == f"{tmp_path}/1\n"


def test_labels_are_joined_by_request_and_row(serving, sample, tmp_path):
    run(serving, tmp_path, "--labels", tmp_path / "labels.csv", "--count", 150, "--shift", "class_dropout", "--seed", 2)
    with open(tmp_path / "labels.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", "label"]
    labels = {key: int(label) for key, label in rows}
    assert len(labels) == len(rows) == 150
    label_of = {image.tobytes(): label for image, label in zip(*sample, strict=True)}
    for log in read(tmp_path, 1):
        for row, image in enumerate(tensor(log, "image")):
            assert labels[f"{tensor(log, REQUEST_ID).item().decode()}/{row}"] == label_of[image.tobytes()]


def test_spans_follow_each_other_and_ids_are_unique(serving, tmp_path):
    run(serving, tmp_path, "--count", 20, "--span", 7)
    run(serving, tmp_path, "--count", 20, "--span", 7)
    assert "Span 8: " in run(serving, tmp_path, "--count", 20, "--batch-size", 7)
    assert len({tensor(log, REQUEST_ID).item() for log in read(tmp_path, 7)}) == 2
    assert len({tensor(log, REQUEST_ID).item() for log in read(tmp_path, 8)}) == 3


def test_draws_by_seed_without_replacement(serving, sample, tmp_path):
    for span, seed in enumerate((1, 1, 2)):
        run(serving, tmp_path, "--count", 50, "--span", span, "--seed", seed)
    first, again, other = (images(tmp_path, span) for span in range(3))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, sample[0][shifts.draw(1000, 50, 1)])
    assert len({image.tobytes() for image in first}) == 50
    assert (first != other).any()


def test_logs_what_the_shift_made(serving, sample, tmp_path):
    settings = ["--shift", "gaussian_blur", "--severity", 5, "--fraction", 0.25, "--seed", 3]
    printed = run(serving, tmp_path, "--count", 80, *settings)
    expected = shifts.apply("gaussian_blur", *sample, severity=5, fraction=0.25, seed=3, count=80)
    np.testing.assert_array_equal(images(tmp_path, 1), expected.images)
    assert "80 images of split serving in 1 request, 20 of them with gaussian_blur at severity 5." in printed


def test_a_client_that_normalises_is_logged_as_it_sends_and_scored_as_it_is_cast(serving, sample, tmp_path):
    printed = run(serving, tmp_path, "--count", 30, "--shift", "unit_scale", "--fraction", 0.5, "--batch-size", 10)
    assert "15 of them with unit_scale.\n" in printed
    scaled = [log for log in read(tmp_path, 1) if tensor(log, "image").dtype == np.float32]
    plain = [log for log in read(tmp_path, 1) if tensor(log, "image").dtype == np.uint8]
    assert [len(tensor(log, "image")) for log in scaled] == [len(tensor(log, "image")) for log in plain] == [10, 5]
    sent = np.concatenate([tensor(log, "image") for log in scaled])
    assert 0.9 < sent.max() <= 1
    window = shifts.apply("unit_scale", *sample, severity=3, fraction=0.5, count=30)
    np.testing.assert_array_equal(sent, window.images[window.shifted])
    np.testing.assert_array_equal(
        np.concatenate([tensor(log, "image") for log in plain]), sample[0][window.indices[~window.shifted]]
    )
    model = tf.saved_model.load(str(serving / "10")).signatures["serving_default"]
    cast = model(image=tf.constant(sent.astype(np.uint8)))["probabilities"].numpy()
    np.testing.assert_allclose(np.concatenate([tensor(log, "probabilities") for log in scaled]), cast, atol=1e-5)


def test_the_training_split(serving, tmp_path):
    run(serving, tmp_path, "--split", "train", "--count", 10)
    training, _ = images_of.read(dataset.SAMPLE, "train")
    assert len(training) == 4000
    np.testing.assert_array_equal(images(tmp_path, 1), training[shifts.draw(4000, 10, 0)])


@pytest.mark.parametrize(
    ("arguments", "expected_error"),
    [
        (["--shift", "blurr"], "`shift` must be one of .*motion_blur"),
        (["--severity", "2"], "`--severity` must come with --shift. Received: 2"),
        (["--fraction", "0.5"], "`--fraction` must come with --shift"),
        (["--shift", "zoom", "--severity", "9"], "`severity` must be 1, 2, 3, 4 or 5"),
        (["--count", "2001"], "`count` must be 1 to 1000, the number of images"),
        (["--span", "-1"], "`--span` must be 0 or more"),
        (["--batch-size", "0"], "`--batch-size` must be 1 or more"),
        (["--dataset", "smaple"], "`dataset` must be sample, full or an existing folder.*did you mean 'sample'"),
        (["--serving", "/nowhere"], "`--serving` must be a folder with a pushed model"),
        (["--labels", "/nowhere/labels.csv"], "`--labels` must be in a folder that is there"),
    ],
)
def test_refuses_what_breaks_a_rule_and_logs_nothing(serving, tmp_path, arguments, expected_error):
    with pytest.raises(MonitorError, match=expected_error):
        run(serving, tmp_path / "logs", *arguments)
    assert not (tmp_path / "logs").exists()


def test_by_default_sends_images_that_the_baseline_does_not_have(serving, sample, tmp_path):
    run(serving, tmp_path)
    known = {image.tobytes() for image in images_of.read(dataset.SAMPLE, "eval")[0]}
    assert not known & {image.tobytes() for image in images(tmp_path, 1)}
    (tmp_path / "data").mkdir()
    shutil.copy(dataset.SAMPLE / "test_batch.bin.gz", tmp_path / "data")
    assert "10 images of split eval" in run(serving, tmp_path, "--dataset", tmp_path / "data", "--count", 10)


def test_says_what_is_wrong_with_the_data(serving, tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(MonitorError, match=r"data` must hold files test_batch\* for the split eval"):
        run(serving, tmp_path / "logs", "--dataset", tmp_path / "data")
    (tmp_path / "data" / "test_batch.bin").write_bytes(bytes(3000))
    with pytest.raises(MonitorError, match=r"test_batch.bin: truncated"):
        run(serving, tmp_path / "logs", "--dataset", tmp_path / "data")


def test_says_what_is_wrong_with_the_model(tmp_path):
    write_bundle(tmp_path / "serving" / "1", default_spec())
    with pytest.raises(MonitorError, match=r"the model at .*serving/1 cannot be loaded: "):
        run(tmp_path / "serving", tmp_path / "logs")


def test_logs_that_cannot_be_written_are_an_error(serving, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "3").write_text("a file where the span's folder has to be")
    with pytest.raises(MonitorError, match=r"Of 2 requests 0 could be written to .*failed=2"):
        run(serving, tmp_path / "logs", "--span", 3, "--count", 200)


def test_options_are_known_without_tensorflow():
    heavy = "[m for m in sys.modules if m.split('.')[0] in ('tensorflow', 'tfx')]"
    script = f"import sys, model_monitor.traffic.replay; print({heavy})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("block", "counts"),
    [
        (named("docs/serving_logs.md", "replay with labels"), {"1": 1000, "2": 500}),
        (named("docs/shifts.md", "replay of a shift"), {"1": 1000}),
    ],
    ids=str,
)
def test_the_commands_of_the_docs_run_as_they_are_written(serving, tmp_path, monkeypatch, block, counts):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "serving").symlink_to(serving)
    monkeypatch.chdir(tmp_path)
    for command in block.commands:
        assert cli.main(shlex.split(command)[1:]) == 0, command
    assert {span.name: len(images("logs", span.name)) for span in sorted(Path("logs").glob("[0-9]*"))} == counts
