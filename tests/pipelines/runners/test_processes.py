"""Workers of Beam that are processes of this machine come to what one process does."""

import subprocess
import sys

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.common.artifacts.tfrecord import frame
from components.image_statistics_gen.describe_examples import DescribeExamples, describe_here, write_described
from components.image_statistics_gen.statistics_generator import ImageStatisticsGenerator
from components.serving_log_writer.prediction_log_encoding import example_bytes
from pipelines.beam_runners import beam_options
from tests.support.specs import image_spec

pytestmark = pytest.mark.long


def test_two_processes_describe_what_one_does(tmp_path):
    paths = []
    for part in range(4):
        rows = [{"image": [bytes([n]) * 3072], "id": [b"%d-%d" % (part, n)]} for n in range(25)]
        paths.append(str(tmp_path / f"part-{part}"))
        (tmp_path / f"part-{part}").write_bytes(b"".join(frame(example_bytes(row)) for row in rows))
    generator = ImageStatisticsGenerator(image_spec(), describe_image=True, sample_size=20)
    options = PipelineOptions([*beam_options("multi", ["--direct_num_workers=2"])])
    with beam.Pipeline(options=options) as pipeline:
        described = pipeline | beam.Create(paths) | DescribeExamples(generator, None)
        _ = described | beam.Map(write_described, str(tmp_path / "there"))
    write_described(describe_here(paths, generator, None), str(tmp_path / "here"))
    sample = "FeatureSample.npz"
    assert (tmp_path / "there" / sample).read_bytes() == (tmp_path / "here" / sample).read_bytes()


def test_a_worker_starts_without_what_it_does_not_use():
    code = "import sys, pipelines.runners.process_worker; print('google.cloud.bigquery.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
    used = "from google.cloud import storage; print(storage.Client.__name__)"  # as Beam does of a file in gs://
    code = f"import pipelines.runners.process_worker; {used}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Client"]
