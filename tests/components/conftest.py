"""Windows of real images with a made-up model's predictions, described by the real generator."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.types import standard_artifacts

from components.common.statistics.feature_sample import FILE_NAME
from components.image_statistics_gen.statistics_generator import ImageStatisticsGenerator
from tests.support.specs import image_spec, model_spec

ROOT = Path(__file__).parents[2]
CLASSES = 4
FILES = ("data_batch_1", "test_batch")


def scores(images):
    """Probabilities `float32[N, CLASSES]` of a made-up classifier that looks at brightness, colour and detail."""
    pixels = images.astype(np.float32) / 255
    looks = [pixels.mean((1, 2, 3)), pixels[..., 0].mean((1, 2)) - pixels[..., 2].mean((1, 2)), pixels.std((1, 2, 3))]
    looks.append(np.abs(np.diff(pixels, axis=1)).mean((1, 2, 3)))
    logits = 3 * (np.stack(looks, 1) - [0.47, 0.03, 0.21, 0.07]) / [0.12, 0.1, 0.06, 0.03]
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    return (exponents / exponents.sum(1, keepdims=True)).astype(np.float32)


def blurred(images):
    """Each pixel the mean of itself and its neighbours."""
    padded = np.pad(images.astype(np.float32), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = sum(padded[:, i : i + 32] for i in range(3))
    return np.rint(sum(rows[:, :, j : j + 32] for j in range(3)) / 9).astype(np.uint8)


def brightened(images, by=40):
    return np.clip(images.astype(np.int16) + by, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def shifts():
    """Ways to change images, by name."""
    return {"blurred": blurred, "brightened": brightened}


@pytest.fixture(scope="session")
def pool():
    """The images of the embedded sample, `uint8[6000, 32, 32, 3]`, in an order that is as good as drawn."""
    folder = ROOT / "data" / "cifar10_sample"
    content = b"".join(gzip.decompress((folder / f"{name}.bin.gz").read_bytes()) for name in FILES)
    records = np.frombuffer(content, np.uint8).reshape(-1, 3073)[:, 1:]
    images = records.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images[np.random.default_rng(17).permutation(len(images))])


@pytest.fixture(scope="session")
def write_statistics():
    """Describes images as ImageStatisticsGen does: (folder, {split: images}, span, ...) -> ExampleStatistics."""

    def write(folder, splits, *, span=0, predicted=True, sample_size=10_000):
        artifact = standard_artifacts.ExampleStatistics()
        artifact.uri = str(folder)
        artifact.split_names = json.dumps(list(splits))
        artifact.span = span
        for split, images in splits.items():
            path = folder / f"Split-{split}"
            path.mkdir(parents=True)
            data, sample = describe(images, predicted=predicted, sample_size=sample_size)
            content = statistics_pb2.DatasetFeatureStatisticsList(datasets=[data]).SerializeToString()
            (path / "FeatureStats.pb").write_bytes(content)
            sample.write(str(path / FILE_NAME))
        return artifact

    return write


def describe(images, *, predicted=True, sample_size=10_000):
    """Statistics and sample of images and their scores, by the generator that ImageStatisticsGen runs."""
    columns = {
        "image": pa.array([[image.tobytes()] for image in images], pa.list_(pa.binary())),
        "id": pa.array([[f"image:{number}".encode()] for number in range(len(images))], pa.list_(pa.binary())),
    }
    if predicted:
        columns["probabilities"] = pa.array(list(scores(images)), pa.list_(pa.float32()))
    generator = ImageStatisticsGenerator(
        model_spec(classes=CLASSES) if predicted else image_spec(), describe_image=True, sample_size=sample_size
    )
    accumulator = generator.create_accumulator()
    if len(images):
        accumulator = generator.add_input(accumulator, pa.RecordBatch.from_pydict(columns))
    data = generator.extract_output(accumulator)
    if len(images):
        data.features.append(_described_ids(len(images)))
    return data, generator.extract_sample(accumulator)


def _described_ids(examples):
    """What is left of TFDV's description of a feature that is another one for each example."""
    described = statistics_pb2.FeatureNameStatistics(type="STRING")
    described.path.step.append("id")
    common = described.string_stats.common_stats
    common.num_non_missing = common.tot_num_values = examples
    common.min_num_values = common.max_num_values = common.avg_num_values = 1
    described.string_stats.unique = examples
    return described
