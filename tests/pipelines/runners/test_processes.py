"""Workers of Beam that are processes of this machine come to what one process does."""

import atexit
import importlib.util
import os
import pathlib
import subprocess
import sys
import time

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


class _Leaves(beam.DoFn):
    """Says that it was torn down, for which it takes a while, and that its process ended, by files."""

    def __init__(self, folder):
        self._folder = folder

    def setup(self):
        atexit.register(pathlib.Path(self._folder, f"ended-{os.getpid()}").touch)

    def process(self, number):
        if number < 0:
            raise ValueError(f"{number} is less than nothing")
        yield number

    def teardown(self):
        time.sleep(0.2)
        pathlib.Path(self._folder, f"torn-down-{os.getpid()}").touch()


def _leave(folder, numbers):
    options = PipelineOptions([*beam_options("multi", ["--direct_num_workers=2"])])
    with beam.Pipeline(options=options) as pipeline:
        _ = pipeline | beam.Create(numbers) | beam.Reshuffle() | beam.ParDo(_Leaves(str(folder)))


def test_workers_tear_down_what_they_ran_before_they_end(tmp_path):
    _leave(tmp_path, range(20))
    left = [each.name.rpartition("-") for each in tmp_path.iterdir()]
    assert sorted(said for said, _, _ in left) == ["ended", "ended", "torn-down", "torn-down"]
    assert len({process for _, _, process in left}) == 2


def test_what_fails_in_a_worker_is_said(tmp_path):
    with pytest.raises(RuntimeError, match="-1 is less than nothing"):
        _leave(tmp_path, [1, 2, -1])


@pytest.mark.parametrize("worker", ["pipelines.runners.process_worker", "pipelines.runners.beam_worker"])
def test_a_worker_starts_without_what_it_does_not_use(worker):
    unused = ("google.cloud.bigquery.client", "boto3.session", "hdfs.client", "scipy.special")
    code = f"import sys, {worker}; print([name for name in {unused} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]"]
    clients = {"google.cloud.storage": "Client", "boto3": "client"}  # as Beam uses them for gs:// and s3://
    if importlib.util.find_spec("hdfs") is not None:  # which Beam 2.59 depends on, and 2.73 has as an extra
        clients["hdfs"] = "InsecureClient"
    told = "".join(f"; print({name}.{attribute}.__name__)" for name, attribute in clients.items())
    code = f"import {worker}, {', '.join(clients)}{told}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(clients.values())
