"""Windows of real images with a made-up model's predictions, described by the real generator. Imports TFX."""

import json

import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.types import standard_artifacts

from components.common.statistics.feature_sample import FILE_NAME
from components.image_statistics_gen.statistics_generator import ImageStatisticsGenerator
from tests.support.sample_images import CLASSES, scores
from tests.support.specs import image_spec, model_spec


def write_statistics(folder, splits, *, span=0, predicted=True, sample_size=10_000, **columns):
    """Describes images as ImageStatisticsGen does: (folder, {split: images}, span, ...) -> ExampleStatistics.

    `columns` are values of features, one list an image, that replace those made of the images.
    """
    artifact = standard_artifacts.ExampleStatistics()
    artifact.uri = str(folder)
    artifact.split_names = json.dumps(list(splits))
    artifact.span = span
    for split, images in splits.items():
        path = folder / f"Split-{split}"
        path.mkdir(parents=True)
        data, sample = describe(images, predicted=predicted, sample_size=sample_size, **columns)
        content = statistics_pb2.DatasetFeatureStatisticsList(datasets=[data]).SerializeToString()
        (path / "FeatureStats.pb").write_bytes(content)
        sample.write(str(path / FILE_NAME))
    return artifact


def describe(images, *, predicted=True, sample_size=10_000, **others):
    """Statistics and sample of images and their scores, by the generator that ImageStatisticsGen runs."""
    columns = {
        "image": pa.array([[image.tobytes()] for image in images], pa.list_(pa.binary())),
        "id": pa.array([[f"image:{number}".encode()] for number in range(len(images))], pa.list_(pa.binary())),
    }
    if predicted:
        columns["probabilities"] = pa.array(list(scores(images)), pa.list_(pa.float32()))
    columns |= {name: pa.array(values) for name, values in others.items()}
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
