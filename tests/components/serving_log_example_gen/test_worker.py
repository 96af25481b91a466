"""What a worker of Beam imports to read logs and to write rows: neither TFX nor TensorFlow, but for its messages."""

import pickle
import subprocess
import sys
from pathlib import Path

from apache_beam.internal import cloudpickle_pickler

from components.common.artifacts.record_parts import Part
from components.common.artifacts.tfrecord import read_records
from components.common.beam import in_process
from components.common.beam.shard_writer import KeepWritten
from components.common.beam.worker_files import write_whole
from components.serving_log_example_gen.convert_logs import WriteAhead
from components.serving_log_example_gen.read_options import ReadOptions
from components.serving_log_example_gen.read_parts import TALLY, ReadPart
from tests.components.serving_log_example_gen.conftest import log_file, make_good_log
from tests.support.specs import model_spec

ROOT = Path(__file__).parents[3]
WORKER = """
import sys
from apache_beam.internal import cloudpickle_pickler

read, write, keep, count, given, folder = cloudpickle_pickler.loads(sys.stdin.buffer.read())
read.setup()
write.start_bundle()
for found in read.process(given):
    if getattr(found, "tag", None) == "tally":
        count(found.value, folder + "/tally")
    elif isinstance(found, tuple):
        list(write.process(found))
(files,) = write.finish_bundle()
name, less = files.value.value
keep.start_bundle()
print(next(keep.process((name, [less, *range(-less)]))))
loaded = [name for name in sys.modules if name.partition(".")[0] in ("tfx", "tensorflow_model_analysis")]
print(len(loaded), len([name for name in sys.modules if name.startswith("tensorflow.python")]))
import tensorflow as tf
print(tf.constant(3).numpy(), tf.train.Example is sys.modules["tensorflow.core.example.example_pb2"].Example)
"""


def test_a_worker_reads_logs_and_writes_rows_without_tensorflow_and_has_it_when_it_wants_it(tmp_path):
    logs = [make_good_log(3, seed=number, request_id=f"r{number}") for number in range(20)]
    path = tmp_path / "log"
    path.write_bytes(log_file(*logs, b"\xff\xff"))
    reading = ReadPart(ReadOptions(model_spec((4, 5, 3), 3)), str(tmp_path / "letters"))
    writing = WriteAhead(str(tmp_path)), KeepWritten(str(tmp_path))
    sent = cloudpickle_pickler.dumps((reading, *writing, write_whole, Part(str(path)), str(tmp_path)))
    done = subprocess.run([sys.executable, "-c", WORKER], cwd=ROOT, input=sent, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    written, *told = done.stdout.decode().splitlines()
    assert told == ["0 0", "3 True"]
    here = list(in_process.stream(reading, [Part(str(path))]))
    with Path(written).open("rb") as file:
        rows = [record.data for record in read_records(file, strict=True)]
    assert rows == [given[1][3] for tag, given in here if tag is None]
    assert len(rows) == 60
    (tally,) = [given for tag, given in here if tag == TALLY]
    assert (tmp_path / "tally").read_bytes() == pickle.dumps(tally)
    assert len(list((tmp_path / "letters").iterdir())) == 2
