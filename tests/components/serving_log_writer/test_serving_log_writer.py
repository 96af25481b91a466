"""The writer with real threads, processes, kills, forks and disks that are full."""

import fcntl
import io
import itertools
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from components.common.artifacts.tfrecord import read_records
from components.common.errors import MonitorError
from components.serving_log_example_gen.prediction_log import read_origin
from components.serving_log_example_gen.subsampling import ClientKey
from components.serving_log_writer.log_fields import CLIENT_ID, REQUEST_ID
from components.serving_log_writer.writer import Rotation, ServedModel, ServingLogWriter
from tests.support.log_requests import read_request
from tests.support.specs import model_spec
from tests.support.tfrecord_files import records_of

MODEL = ServedModel("classifier", 7)
IMAGE = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
REPOSITORY = Path(__file__).parents[3]
START = """
import os, sys, time
import numpy as np
from components.serving_log_writer.writer import Rotation, ServedModel, ServingLogWriter
logs = sys.argv[1]
def writer(**settings):
    return ServingLogWriter(logs, ServedModel("classifier", 7), span=5, **settings)
def log(writer, request_id):
    return writer.log({"image": np.zeros((1, 4, 4, 3), np.uint8)}, {"class_id": [1]}, request_id=request_id)
"""


def visible(logs):
    return sorted(str(path) for path in Path(logs).glob("[!.]*/*"))


def records(paths):
    """The logs in files that TensorFlow can read to their ends: it raises `DataLossError` otherwise."""
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records_of(paths)]


def ids(logs):
    return [tf.make_ndarray(log.predict_log.request.inputs[REQUEST_ID]).item().decode() for log in logs]


def log(writer, request_id, **other):
    seed = [ord(letter) for letter in request_id]
    image = np.random.default_rng(seed).integers(0, 256, (1, 20, 20, 3), np.uint8)  # which gzip cannot make smaller
    return writer.log(
        {"image": image},
        {"probabilities": np.ones((1, 2), np.float32)},
        request_id=request_id,
        **other,
    )


def run(script, logs, **other):
    command = [sys.executable, "-c", START + script, str(logs)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120, **other)


def start(script, logs):
    command = [sys.executable, "-c", START + script, str(logs)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def blocked(tmp_path):
    """A folder in which no writer can make a file until the fixture's value is called."""
    with open(tmp_path / ".writing-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.close


def test_what_is_logged_arrives(tmp_path):
    image = IMAGE.copy()
    with ServingLogWriter(tmp_path, MODEL, sampling_rate=1.0) as writer:
        assert writer.log(
            {"image": image}, {"class_id": np.array([3])}, request_id="a", timestamp=86_400 * 20_000 + 9.9
        )
        image[:] = 0  # a server may use its buffer again at once
    [path] = visible(tmp_path)
    assert re.fullmatch(rf"{tmp_path}/20000/part-[A-Za-z0-9.-]+-{os.getpid()}-[0-9]+\.tfrecord\.gz", path)
    [found] = records([path])
    assert found.log_metadata.timestamp_secs == 86_400 * 20_000 + 9
    assert found.log_metadata.sampling_config.sampling_rate == 1
    assert found.log_metadata.model_spec.version.value == 7
    np.testing.assert_array_equal(tf.make_ndarray(found.predict_log.request.inputs["image"]), IMAGE)
    assert tf.make_ndarray(found.predict_log.response.outputs["class_id"]).tolist() == [3]
    assert ids([found]) == ["a"]
    assert (writer.counts.written, writer.counts.pending) == (1, 0)


def test_now_and_today_are_the_defaults(tmp_path):
    before = int(time.time())
    with ServingLogWriter(tmp_path, MODEL) as writer:
        log(writer, "a")
    [path] = visible(tmp_path)
    assert int(Path(path).parent.name) in (before // 86_400, int(time.time()) // 86_400)
    assert before <= records([path])[0].log_metadata.timestamp_secs <= time.time()


def test_ready_protos_keep_their_own_metadata(tmp_path):
    bare, full = prediction_log_pb2.PredictionLog(), prediction_log_pb2.PredictionLog()
    bare.classify_log.request.model_spec.name = "x"
    full.log_metadata.model_spec.name = "other"
    full.log_metadata.timestamp_secs = 86_400 * 3
    full.log_metadata.sampling_config.sampling_rate = 0.5
    expected = prediction_log_pb2.PredictionLog.FromString(full.SerializeToString())
    with ServingLogWriter(tmp_path, ServedModel("m"), sampling_rate=0.999, seed=1) as writer:
        assert writer.log_proto(bare, timestamp=86_400 * 2)
        assert writer.log_proto(full)
    first, second = records(visible(tmp_path))
    assert [Path(path).parent.name for path in visible(tmp_path)] == ["2", "3"]
    assert first.classify_log.request.model_spec.name == "x"
    assert (first.log_metadata.model_spec.name, first.log_metadata.timestamp_secs) == ("m", 86_400 * 2)
    assert first.log_metadata.sampling_config.sampling_rate == 0.999
    assert second.log_metadata.sampling_config.sampling_rate == 0.5 * 0.999
    expected.log_metadata.sampling_config.sampling_rate = 0.5 * 0.999
    expected.log_metadata.model_spec.signature_name = "serving_default"
    assert second == expected


@pytest.mark.parametrize(("request_id", "expected"), [("a", [b"a/0", b"a/1"]), (["a", "b"], [b"a/0", b"b/1"])])
def test_the_reader_takes_it_for_what_it_is(tmp_path, request_id, expected):
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    with ServingLogWriter(tmp_path, MODEL, sampling_rate=0.999) as writer:
        answer = {"probabilities": [[0.75, 0.25]] * 2}
        writer.log({"image": images}, answer, request_id=request_id, client_id="camera 7", timestamp=5)
    [found] = records(visible(tmp_path))
    settings = {"client_field": CLIENT_ID}
    request = read_request(found, read_origin(found), model_spec(classes=2), b"none", lambda _: None, **settings)
    assert [request.client(row, ClientKey(CLIENT_ID)) for row in range(2)] == [b"camera 7"] * 2
    assert [row.id for row in request.rows] == expected
    assert [row.features["image"] for row in request.rows] == [image.tobytes() for image in images]
    assert [row.features["class_id"] for row in request.rows] == [0, 0]
    assert (request.flags, request.broken) == ([], [])
    origin = request.origin
    assert (origin.model_name, origin.model_version, origin.timestamp) == (b"classifier", 7, 5)
    assert origin.sampling_rate == 0.999


def test_many_threads_lose_and_repeat_nothing(tmp_path):
    with ServingLogWriter(tmp_path, MODEL, span=1, rotation=Rotation(file_bytes=200_000), when_full="block") as writer:
        work = [threading.Thread(target=lambda t=t: [log(writer, f"{t}-{i}") for i in range(200)]) for t in range(8)]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
    assert len(visible(tmp_path)) > 1
    assert sorted(ids(records(visible(tmp_path)))) == sorted(f"{t}-{i}" for t in range(8) for i in range(200))
    assert (writer.counts.written, writer.counts.dropped, writer.counts.failed) == (1600, 0, 0)


def test_readers_never_see_a_part_of_a_file(tmp_path):
    seen, finished = {}, threading.Event()

    def read():
        while not finished.is_set():
            for path in visible(tmp_path):
                if path not in seen:
                    seen[path] = ids(records([path]))  # raises on a file that is cut off

    reader = threading.Thread(target=read)
    reader.start()
    with ServingLogWriter(tmp_path, MODEL, span=1, rotation=Rotation(file_bytes=50_000)) as writer:
        sent = [str(i) for i in range(2000) if log(writer, str(i))]
    until(lambda: len(seen) == len(visible(tmp_path)))
    finished.set()
    reader.join()
    assert len(seen) > 10
    # what was seen of a file while others were still being written is what is in it at the end
    assert {path: ids(records([path])) for path in visible(tmp_path)} == seen
    assert sorted(itertools.chain(*seen.values())) == sorted(sent)


def test_files_are_finished_by_time_without_another_request(tmp_path):
    with ServingLogWriter(tmp_path, MODEL, span=1, rotation=Rotation(seconds=0.2)) as writer:
        log(writer, "a")
        until(lambda: writer.counts.written == 1)
        log(writer, "b")
        until(lambda: writer.counts.written == 2)
        assert len(visible(tmp_path)) == 2


def test_spans_have_files_of_their_own(tmp_path):
    with ServingLogWriter(tmp_path, MODEL, span=lambda timestamp: int(timestamp) % 3) as writer:
        for i in range(30):
            log(writer, str(i), timestamp=i)
    assert len(visible(tmp_path)) == 3  # not a new file each time the span changes
    for span in range(3):
        assert ids(records(visible(tmp_path)[span : span + 1])) == [str(i) for i in range(span, 30, 3)]


def test_a_full_queue_drops_and_counts(tmp_path, blocked):
    writer = ServingLogWriter(tmp_path, MODEL, span=1, queue_bytes=30_000)
    accepted = [str(i) for i in range(500) if log(writer, str(i))]
    counts = writer.counts
    assert counts.dropped == 500 - len(accepted)
    assert counts.pending == len(accepted)
    assert 10 < len(accepted) < 30  # a record has about 1,500 bytes
    blocked()
    writer.close()
    assert ids(records(visible(tmp_path))) == accepted
    assert writer.counts.written == len(accepted)


def test_a_full_queue_blocks_when_asked_to(tmp_path, blocked):
    writer = ServingLogWriter(tmp_path, MODEL, span=1, queue_bytes=30_000, when_full="block")
    accepted = []
    server = threading.Thread(target=lambda: [accepted.append(log(writer, str(i))) for i in range(500)])
    server.start()
    until(lambda: len(accepted) > 5)
    server.join(timeout=0.3)
    assert server.is_alive()
    blocked()
    server.join()
    writer.close()
    assert accepted == [True] * 500
    assert ids(records(visible(tmp_path))) == [str(i) for i in range(500)]


def test_a_request_larger_than_the_queue_waits_alone(tmp_path):
    with ServingLogWriter(tmp_path, MODEL, span=1, queue_bytes=10) as writer:
        assert log(writer, "large")
    assert ids(records(visible(tmp_path))) == ["large"]


def test_sampling_follows_from_the_seed(tmp_path):
    def sampled(name, seed):
        with ServingLogWriter(tmp_path / name, MODEL, span=1, sampling_rate=0.1, seed=seed) as writer:
            for i in range(2000):
                log(writer, str(i))
        found = records(visible(tmp_path / name))
        assert {r.log_metadata.sampling_config.sampling_rate for r in found} == {0.1}
        assert writer.counts.sampled_out == 2000 - len(found)
        return ids(found)

    first = sampled("a", 1)
    assert 140 < len(first) < 260  # 200 expected, standard deviation 13
    assert first == sampled("b", 1)
    assert first != sampled("c", 2)


def test_what_cannot_be_logged_is_counted_and_never_raised(tmp_path, caplog):
    def span(timestamp):
        return {1.0: 1}[timestamp]

    with ServingLogWriter(tmp_path, MODEL, span=span) as writer:
        assert not writer.log({"image": [object()]}, {})
        assert log(writer, "no span", timestamp=2.0)
        assert log(writer, "fine", timestamp=1.0)
    assert ids(records(visible(tmp_path))) == ["fine"]
    assert (writer.counts.written, writer.counts.failed, writer.counts.pending) == (1, 2, 0)
    [warning] = [
        record.message for record in caplog.records if record.levelno == logging.WARNING
    ]  # at most one a minute
    assert "`tensor image` must hold numbers, str or bytes. Received: object" in warning


def test_closing(tmp_path):
    writer = ServingLogWriter(tmp_path, MODEL, span=1)
    log(writer, "a")
    writer.close()
    writer.close()
    assert not log(writer, "late")
    assert (writer.counts.written, writer.counts.dropped) == (1, 1)
    ServingLogWriter(tmp_path / "unused", MODEL).close()
    assert not (tmp_path / "unused").exists()


def test_a_process_that_ends_without_closing_loses_nothing(tmp_path):
    done = run("w = writer()\nprint([log(w, str(i)) for i in range(100)].count(True))\n", tmp_path)
    assert done.stdout == "100\n", done.stderr
    assert ids(records(visible(tmp_path))) == [str(i) for i in range(100)]


def test_needs_no_tensorflow(tmp_path):
    done = run("with writer() as w: log(w, 'a')\nprint([m for m in sys.modules if 'tensorflow' in m])\n", tmp_path)
    assert done.stdout == "[]\n", done.stderr
    assert ids(records(visible(tmp_path))) == ["a"]


KILLED = """
w = writer()
for i in range(200):
    log(w, str(i))
sys.stdin.readline()
while True:
    log(w, str(i := i + 1))
"""


def test_a_killed_writer_is_salvaged_by_the_next(tmp_path, caplog):
    process = start(KILLED, tmp_path)

    def whole():
        """How many records have reached the file that is being written."""
        hidden = list(tmp_path.glob(".writing-5.part-*"))
        return len([r for r in read_records(io.BytesIO(hidden[0].read_bytes())) if not r.damage]) if hidden else 0

    until(lambda: whole() == 200)
    process.stdin.write("go\n")
    process.stdin.flush()
    until(lambda: whole() > 200)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert visible(tmp_path) == []
    with ServingLogWriter(tmp_path, MODEL, span=6) as writer:
        log(writer, "next")
    left, own = visible(tmp_path)
    assert Path(left).parent.name == "5"
    assert f"-{process.pid}-" in left
    found = ids(records([left]))
    assert found == [str(i) for i in range(len(found))]  # whole, in order, none twice
    assert len(found) > 200
    assert writer.counts.salvaged == len(found)
    assert ids(records([own])) == ["next"]
    assert [path.name for path in tmp_path.glob(".writing-*")] == [".writing-lock"]
    assert f"A writer was killed: {len(found)} whole records of its file" in caplog.text


def test_a_file_that_is_being_written_is_not_salvaged(tmp_path):
    first = ServingLogWriter(tmp_path, MODEL, span=1)
    log(first, "a")
    until(lambda: list(tmp_path.glob(".writing-1.part-*")))
    with ServingLogWriter(tmp_path, MODEL, span=2) as second:
        log(second, "b")
    assert second.counts.salvaged == 0
    assert [Path(path).parent.name for path in visible(tmp_path)] == ["2"]
    first.close()
    assert ids(records(visible(tmp_path))) == ["a", "b"]


FORKED = """
w = writer()
log(w, "parent before")
while w._queue: time.sleep(0.01)
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        assert w.counts.pending == 0
        log(w, f"child {number}")
        w.close()
        assert w.counts.written == 1, w.counts
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
log(w, "parent after")
w.close()
assert w.counts.written == 2, w.counts
"""


def test_both_sides_of_a_fork_go_on_writing(tmp_path):
    done = run(FORKED, tmp_path)
    assert done.returncode == 0, done.stderr
    files = [ids(records([path])) for path in visible(tmp_path)]
    assert sorted(files) == [["child 0"], ["child 1"], ["child 2"], ["parent before", "parent after"]]


FORKED_WHILE_LOCKED = """
from components.serving_log_writer import log_files
with log_files.entry(logs):
    child = os.fork()
    if child == 0:
        sys.stdin.read()
        os._exit(0)
with writer() as w:
    log(w, "a")
print(w.counts.written)
"""


def test_a_child_forked_while_a_file_is_made_holds_nobody_up(tmp_path):
    process = start(FORKED_WHILE_LOCKED, tmp_path)
    assert process.stdout.readline() == "1\n"  # the child is still there
    process.communicate()


def test_a_closed_writer_stays_closed_in_a_child(tmp_path):
    script = """
w = writer()
w.close()
child = os.fork()
if child == 0:
    os._exit(log(w, "a"))
print(os.waitpid(child, 0)[1])
"""
    assert run(script, tmp_path).stdout == "0\n"
    assert visible(tmp_path) == []


# A limit on the size of files gives the errors of a disk that is full, and room again when it is lifted.
FULL_DISK = """
import resource
w = writer(queue_bytes=100_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))
log(w, "lost")
while not w.counts.failed: time.sleep(0.01)
accepted = 1
while log(w, "queued"): accepted += 1
assert w.counts.dropped == 1, w.counts
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
w.close()
assert w.counts.written + w.counts.failed == accepted, w.counts
print(w.counts.written)
"""


def test_a_full_disk_costs_the_open_file_and_heals(tmp_path):
    done = run(FULL_DISK, tmp_path)
    assert done.returncode == 0, done.stderr
    found = ids(records(visible(tmp_path)))
    assert len(found) == int(done.stdout) > 10
    assert set(found) == {"queued"}
    assert "logs could not be written: [Errno 27] File too large" in done.stderr
    assert [path.name for path in tmp_path.glob(".writing-*")] == [".writing-lock"]


@pytest.mark.parametrize(
    ("settings", "expected_error"),
    [
        ({"span": -1}, "`span` must be a number from 0 or a function. Received: -1"),
        ({"sampling_rate": 0}, r"`sampling_rate` must be in \(0, 1\]. Received: 0"),
        ({"sampling_rate": 1.5}, r"`sampling_rate` must be in \(0, 1\]"),
        ({"queue_bytes": 0}, "`queue_bytes` must be 1 or more"),
        ({"when_full": "dorp"}, r"`when_full` must be one of block, drop.*did you mean 'drop'"),
    ],
)
def test_refuses_settings_that_break_a_rule(tmp_path, settings, expected_error):
    with pytest.raises(MonitorError, match=expected_error):
        ServingLogWriter(tmp_path, MODEL, **settings)


@pytest.mark.parametrize("settings", [{"file_bytes": 0}, {"seconds": 0}])
def test_refuses_rotation_that_breaks_a_rule(settings):
    with pytest.raises(MonitorError, match=r"`rotation.*must be"):
        Rotation(**settings)
