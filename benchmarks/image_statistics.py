"""How long statistics of images take: ours, TFDV's own without the images, and the same properties image by image.

    python -m benchmarks.image_statistics DIR [--images 50000]

DIR holds CIFAR-10 binary files. Examples are written to a temporary folder as ExampleGen writes them (gzipped TFRecord,
one file) and each way reads them from there on Beam's in-memory runner, in a process that has imported everything.
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
from components.image_statistics_gen.describe_examples import DescribeExamples, read_records
from components.image_statistics_gen.statistics_generator import ImageStatisticsGenerator

RUNNER = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"
IMAGE_BY_IMAGE = 1000  # images the slow way is tried on; its time is then scaled up


def write_examples(images: npt.NDArray[np.uint8], path: str) -> None:
    def feature(**kind: Any) -> tf.train.Feature:
        return tf.train.Feature(**kind)

    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for row, image in enumerate(images):
            features = {
                "image": feature(bytes_list=tf.train.BytesList(value=[image.tobytes()])),
                "label": feature(int64_list=tf.train.Int64List(value=[row % 10])),
                "id": feature(bytes_list=tf.train.BytesList(value=[f"data:{row}".encode()])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def run_ours(path: str) -> None:
    generator = ImageStatisticsGenerator("image", describe_image=True)
    with beam.Pipeline(options=PipelineOptions([RUNNER])) as pipeline:
        described = pipeline | beam.Create([path]) | DescribeExamples("image", generator, None)
        _ = described | tfdv.WriteStatisticsToBinaryFile(path + ".ours")


def run_stock(path: str) -> None:
    """What StatisticsGen runs: no image properties; the image's bytes are counted as strings."""
    source = tf_example_record.TFExampleRecord(path, telemetry_descriptors=["benchmark"])
    with beam.Pipeline(options=PipelineOptions([RUNNER])) as pipeline:
        described = pipeline | source.BeamSource() | tfdv.GenerateStatistics()
        _ = described | tfdv.WriteStatisticsToBinaryFile(path + ".stock")


def run_single_images(path: str) -> None:
    """The same formulas, an example at a time: how a `beam.Map` over images would do it. No Beam, no statistics."""
    left = IMAGE_BY_IMAGE
    for records in read_records(path):
        for record in records[:left]:
            value = tf.train.Example.FromString(record).features.feature["image"].bytes_list.value[0]
            image_properties.compute(np.frombuffer(value, np.uint8).reshape(1, 32, 32, 3))
        left -= len(records[:left])


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
        path = os.path.join(folder, "data.gz")
        write_examples(images, path)
        run_ours(path)  # once, so that what is loaded at first use is not counted
        ours = measure(run_ours, path)
        stock = measure(run_stock, path)
        scale = len(images) / min(len(images), IMAGE_BY_IMAGE)
        elapsed, processor = measure(run_single_images, path)
    single = (elapsed * scale, processor * scale)
    print(f"{len(images):,} images of 32 x 32, {len(image_properties.property_names(3))} properties")
    print(f"{'':46}{'elapsed':>9}{'processor':>11}{'ratio':>8}")
    rows = {
        "ImageStatisticsGen": ours,
        "TFDV as StatisticsGen runs it, no properties": stock,
        "properties image by image": single,
    }
    for name, (wall, cpu) in rows.items():
        print(f"{name:46}{wall:9.1f}{cpu:11.1f}{cpu / ours[1]:8.1f}")


if __name__ == "__main__":
    main()
