"""Records go into the pipe at once, in order and whole, also where it is full for a while."""

import os
import signal
import time

import pytest

from model_monitor.serving.proxy.counters import Counters
from model_monitor.serving.proxy.outbox import LogSettings, Outbox
from model_monitor.serving.proxy.taken import Budget, Record
from tests.support.running_proxy import SECONDS, ids, records, until

ASKED = b'{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 0.5]}]}'
ANSWERED = b'{"model_name": "m", "outputs": [{"name": "y", "shape": [1, 2], "datatype": "FP32", "data": [0.25, 0.75]}]}'


def record(name: str, blanks: int = 0) -> Record:
    """Of an answered request; `blanks` make it large."""
    request, response = ASKED + b" " * blanks, ANSWERED
    coding = {"request_coding": "", "response_coding": "", "request_json": "", "response_json": ""}
    words = {"api": "infer", "model": "m", "version": 1, "place": "", "id": name, "client": None, "time": time.time()}
    return Record(words | coding, [request], [response], len(request) + len(response))


@pytest.fixture
def outbox(tmp_path):
    counters = Counters()
    made = Outbox(LogSettings(str(tmp_path), model="m", span=1), counters, Budget(1 << 30))
    made.counters = counters
    made.start()
    until(lambda: made.process_id)
    yield made
    assert made.close(SECONDS)


def test_what_the_pipe_has_room_for_is_in_it_when_the_record_was_put(outbox):
    process = outbox._process
    os.kill(outbox.process_id, signal.SIGSTOP)
    for number in range(100):
        outbox.put(record(str(number)))
        assert (process.sent, len(outbox._queue)) == (number + 1, 0)
    os.kill(outbox.process_id, signal.SIGCONT)


def test_what_it_has_no_room_for_waits_and_comes_whole_and_in_order(outbox, tmp_path):
    os.kill(outbox.process_id, signal.SIGSTOP)
    for number in range(30):
        outbox.put(record(str(number), blanks=100_000 * (number % 3)))
    assert outbox._queue
    os.kill(outbox.process_id, signal.SIGCONT)
    until(lambda: not outbox._queue)
    outbox.put(record("last"))
    assert outbox.close(SECONDS)
    logged = [each.predict_log.request.inputs["log/request_id"].string_val[0].decode() for each in records(tmp_path)]
    assert logged == [*map(str, range(30)), "last"]
    assert outbox.counters.logged == 31


def test_a_record_that_a_process_took_in_part_when_it_died_goes_to_the_next_one_whole(outbox, tmp_path):
    os.kill(outbox.process_id, signal.SIGSTOP)
    outbox.put(record("large", blanks=2 << 20))
    assert outbox._queue
    os.kill(outbox.process_id, signal.SIGKILL)
    outbox.put(record("after"))
    assert outbox.close(SECONDS)
    assert ids(tmp_path) == {"large": 1, "after": 1}
