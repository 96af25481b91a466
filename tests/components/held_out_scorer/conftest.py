"""Small Keras 3 models as people save them, and examples of real digits and photographs for them."""

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

from components.common.artifacts.tf_example import parse_example
from components.held_out_scorer.executor import Executor
from tests.support import foreign_data
from tests.support.foreign_data import encode
from tests.support.model_specs import digits_spec
from tests.support.tfrecord_files import records_of
from tests.support.trainers import digits_trainer, photos_trainer


@pytest.fixture(scope="session")
def digits():
    return foreign_data.digits().part(0, 300)


@pytest.fixture(scope="session")
def crops():
    return foreign_data.crops(60)


@pytest.fixture(scope="session")
def digit_network():
    """Floats 0..1 `[B, 28, 28, 1]` named `input_image` to logits `[B, 10]`. It is not trained."""
    keras.utils.set_random_seed(5)
    image = keras.Input((28, 28, 1), name="input_image")
    hidden = keras.layers.Dense(16, activation="relu", name="features")(keras.layers.Flatten()(image))
    return keras.Model(image, keras.layers.Dense(10)(hidden))


@pytest.fixture(scope="session")
def exported(tmp_path_factory, digit_network):
    """`model.export` of the digit model, probabilities."""
    folder = tmp_path_factory.mktemp("exported")
    network = keras.Model(digit_network.input, keras.layers.Softmax()(digit_network.output))
    network.export(str(folder / "Format-Serving"), verbose=False)
    return folder


@pytest.fixture(scope="session")
def trainer_s(tmp_path_factory, digit_network):
    """What the digits' trainer saves: `dense_1` by floats and by Examples, probabilities or logits. Saved once each."""

    @cache
    def save(**settings: Any) -> Path:
        folder = tmp_path_factory.mktemp("digits")
        digits_trainer.save(digit_network, str(folder / "Format-Serving"), **settings)
        return folder

    return save


@pytest.fixture(scope="session")
def photo_model(tmp_path_factory):
    """JPEG files of any size to one sigmoid."""
    keras.utils.set_random_seed(6)
    layers = [keras.Input((48, 48, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Rescaling(1 / 255)]
    network = keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])
    folder = tmp_path_factory.mktemp("photos")
    photos_trainer.save(network, str(folder / "Format-Serving"))
    return folder


def serialise(features: dict[str, Any]) -> bytes:
    example = tf.train.Example()
    for name, value in features.items():
        values = value if isinstance(value, list) else [value]
        feature = example.features.feature[name]
        if isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif isinstance(values[0], int):
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return example.SerializeToString()


def digit_examples(digits, **changes: Callable[[int], Any]) -> list[dict[str, Any]]:
    """Examples of digits; changes replace features, or take them away where they give None."""
    examples = []
    for row, (image, label, name) in enumerate(zip(digits.images, digits.labels, digits.ids, strict=True)):
        features = {"image/encoded": encode(image), "image/class/label": label, "image/id": name.encode()}
        features |= {key.replace("__", "/"): change(row) for key, change in changes.items()}
        examples.append({key: value for key, value in features.items() if value is not None})
    return examples


@pytest.fixture
def write_examples(tmp_path):
    """Writes an `Examples` artifact: ({split: [features, ...]}, span) -> it, each split in two files."""

    def write(splits: dict[str, Iterable[dict[str, Any]]], span: int = 0):
        artifact = standard_artifacts.Examples()
        artifact.uri = str(tmp_path / "examples")
        artifact.split_names = json.dumps(list(splits))
        artifact.span = span
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
        for split, examples in splits.items():
            folder = Path(artifact.uri, f"Split-{split}")
            folder.mkdir(parents=True)
            records = [serialise(each) for each in examples]
            for part, chosen in enumerate((records[: len(records) // 2], records[len(records) // 2 :])):
                path = str(folder / f"data_tfrecord-0000{part}-of-00002.gz")
                with tf.io.TFRecordWriter(path, "GZIP") as writer:
                    for record in chosen:
                        writer.write(record)
        return artifact

    return write


@pytest.fixture
def score(tmp_path, write_examples):
    """Runs the executor over examples of a split: (examples, model folder, spec, ...) -> the output artifact."""

    def run(examples, model: Path, spec=None, *, splits=("eval",), logged=False, span=0):
        given = examples if isinstance(examples, dict) else {splits[0]: examples}
        artifact, output = standard_artifacts.Model(), standard_artifacts.Examples()
        artifact.uri, output.uri = str(model), str(tmp_path / "scored")
        inputs = {"held_out_examples": [write_examples(given, span)], "model": [artifact]}
        properties = {"spec": (spec or digits_spec()).to_json(), "splits": json.dumps(splits), "logged": int(logged)}
        Executor().Do(inputs, {"examples": [output]}, properties)
        return output

    return run


def rows_of(output, split: str = "eval") -> dict[bytes, dict[str, Any]]:
    """The rows of a split by their id."""
    files = sorted(Path(output.uri, f"Split-{split}").glob("*.gz"))
    rows = [parse_example(record) for record in records_of(files)]
    by_id = {row["id"][0]: row for row in rows}
    assert len(by_id) == len(rows)
    return by_id
