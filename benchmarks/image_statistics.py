"""How long statistics of images take: ours, and TFDV's own, which has none of the images.

    python -m benchmarks.image_statistics DIR [--images 50000]

DIR holds CIFAR-10 binary files. Examples are written to a temporary folder as ExampleGen writes them (gzipped TFRecord,
one file), once as they are and once with made-up probabilities of ten classes and an embedding of sixteen numbers, and
each way reads them from there on Beam's in-memory runner, in a process that has imported everything.
Times are in seconds, elapsed and of the processor: on a busy machine trust the latter.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions
from tfx_bsl.tfxio import tf_example_record

from benchmarks.property_ranges import read_images
from components.image_statistics_gen import image_properties
from components.image_statistics_gen.describe_examples import DescribeExamples
from components.image_statistics_gen.statistics_generator import ImageStatisticsGenerator
from pipelines.cifar10.config import default_spec

RUNNER = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"
CLASSES, DIMENSIONS = 10, 16
SAMPLE_SIZE = 10_000


def write_examples(images: npt.NDArray[np.uint8], path: str, *, scored: bool) -> None:
    def feature(**kind: Any) -> tf.train.Feature:
        return tf.train.Feature(**kind)

    rng = np.random.default_rng(0)
    powers = np.exp(rng.normal(0, 3, (len(images), CLASSES)))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    embedding = rng.normal(size=(len(images), DIMENSIONS))
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for row, image in enumerate(images):
            features = {
                "image": feature(bytes_list=tf.train.BytesList(value=[image.tobytes()])),
                "label": feature(int64_list=tf.train.Int64List(value=[row % 10])),
                "id": feature(bytes_list=tf.train.BytesList(value=[f"data:{row}".encode()])),
            }
            if scored:
                for key, values in (("probabilities", probabilities[row]), ("embedding", embedding[row])):
                    features[key] = feature(float_list=tf.train.FloatList(value=values))
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def run_ours(path: str, sample_size: int = 0, *, predictions: bool = False) -> None:
    spec = default_spec()
    generator = ImageStatisticsGenerator(
        spec if predictions else spec.image,
        describe_image=True,
        embedding_size=DIMENSIONS if predictions else 0,
        sample_size=sample_size,
    )
    with beam.Pipeline(options=PipelineOptions([RUNNER])) as pipeline:
        described = pipeline | beam.Create([path]) | DescribeExamples(generator, None)
        statistics = described | beam.Map(lambda each: each.statistics)
        _ = statistics | tfdv.WriteStatisticsToBinaryFile(path + ".ours")
        if sample_size:
            _ = described | "Sample" >> beam.Map(lambda each: each.sample.write(path + ".npz"))


def run_with_sample(path: str) -> None:
    run_ours(path, SAMPLE_SIZE)


def run_with_predictions(path: str) -> None:
    run_ours(path, SAMPLE_SIZE, predictions=True)


def run_stock(path: str) -> None:
    """What StatisticsGen runs: no image properties; the image's bytes are counted as strings."""
    source = tf_example_record.TFExampleRecord(path, telemetry_descriptors=["benchmark"])
    with beam.Pipeline(options=PipelineOptions([RUNNER])) as pipeline:
        described = pipeline | source.BeamSource() | tfdv.GenerateStatistics()
        _ = described | tfdv.WriteStatisticsToBinaryFile(path + ".stock")


def measure(run: Callable[[str], None], path: str) -> tuple[float, float]:
    """Elapsed and processor seconds of `run(path)`."""
    elapsed, processor = time.perf_counter(), time.process_time()
    run(path)
    return time.perf_counter() - elapsed, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=50_000)
    arguments = parser.parse_args()
    images = read_images(arguments.folder)[: arguments.images]
    with tempfile.TemporaryDirectory() as folder:
        path, scored = os.path.join(folder, "data.gz"), os.path.join(folder, "scored.gz")
        write_examples(images, path, scored=False)
        write_examples(images, scored, scored=True)
        run_with_predictions(scored)  # once, so that what is loaded at first use is not counted
        rows = {
            "images alone": measure(run_ours, path),
            "with a sample of 10,000": measure(run_with_sample, path),
            "with sample and predictions": measure(run_with_predictions, scored),
            "TFDV as StatisticsGen runs it, no properties": measure(run_stock, path),
        }
    print(f"{len(images):,} images of 32 x 32, {len(image_properties.property_names(3))} properties")
    print(f"{'':46}{'elapsed':>9}{'processor':>11}{'ratio':>8}")
    for name, (wall, cpu) in rows.items():
        print(f"{name:46}{wall:9.1f}{cpu:11.1f}{cpu / rows['images alone'][1]:8.2f}")


if __name__ == "__main__":
    main()
