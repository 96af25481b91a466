"""What a worker of Beam imports to describe images: neither TensorFlow nor TFX, nor the package of TFDV."""

import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow_data_validation as tfdv
from apache_beam.internal import cloudpickle_pickler

from components.common.artifacts.record_parts import Part
from components.common.artifacts.tfrecord import frame
from components.image_statistics_gen import describe_examples
from components.image_statistics_gen.describe_examples import describe_here, write_described
from components.image_statistics_gen.statistics_generator import ImageStatisticsGenerator
from components.serving_log_writer.prediction_log_encoding import example_bytes
from tests.support.specs import image_spec

ROOT = Path(__file__).parents[3]
WORKER = """
import sys
from apache_beam.internal import cloudpickle_pickler

read, describe, write, given, folder = cloudpickle_pickler.loads(sys.stdin.buffer.read())
read.setup()
describe.setup()
gathered = describe.create_accumulator()
for columns in read.process(given):
    gathered = describe.add_input(gathered, columns)
write(describe.extract_output(describe.merge_accumulators([describe.compact(gathered)])), folder)
loaded = [name for name in sys.modules if name.partition(".")[0] in ("tfx", "tensorflow_model_analysis")]
tensorflow = [name for name in sys.modules if name.startswith("tensorflow.python")]
print(len(loaded), len(tensorflow), "StatsOptions" in vars(sys.modules["tensorflow_data_validation"]))
import tensorflow_data_validation as tfdv
print(tfdv.StatsOptions().num_top_values, tfdv.load_stats_binary(folder + "/FeatureStats.pb").datasets[0].num_examples)
print(sys.modules["tensorflow"].constant(3).numpy())
"""


@pytest.fixture
def examples(tmp_path):
    rows = [{"image": [bytes([n]) * 3072], "id": [b"%d" % n], "label": [n % 3], "size": [n / 7]} for n in range(40)]
    path = tmp_path / "examples"
    path.write_bytes(b"".join(frame(example_bytes(row)) for row in rows))
    return str(path)


def test_a_worker_describes_images_without_tensorflow_and_has_it_when_it_wants_it(examples, tmp_path):
    generator = ImageStatisticsGenerator(image_spec(), describe_image=True, sample_size=5)
    read, describe = describe_examples._ReadBatches(generator), describe_examples._DescribeFn(generator, None)
    sent = cloudpickle_pickler.dumps((read, describe, write_described, Part(examples), str(tmp_path / "there")))
    done = subprocess.run([sys.executable, "-c", WORKER], cwd=ROOT, input=sent, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().splitlines() == ["0 0 False", "20 40", "3"]
    here = describe_here([examples], generator, None)
    write_described(here, str(tmp_path / "here"))
    for name in ("FeatureStats.pb", "FeatureSample.npz"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert tfdv.load_stats_binary(str(tmp_path / "here" / "FeatureStats.pb")) == here.statistics
