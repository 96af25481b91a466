"""Real SavedModels, asked in a process of their own: what they answer comes back, and what harms ends with them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from components.common.errors import MonitorError
from components.served_model import messages, model_process
from components.served_model.model_process import Bounds, ModelProcess, NotStartedError, TimeOutError
from components.served_model.tensors import ModelFailedError, TensorInfo

REPOSITORY = Path(__file__).parents[3]
ROOM = Bounds(60, 3000)
ONE = {"x": np.ones((1, 2), np.float32)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a hostile model, by its name: made once."""
    import tensorflow as tf

    from tests.support import hostile_models

    tf.constant(0)  # opens files of its own
    made = {}

    def folder(name: str) -> str:
        if name not in made:
            made[name] = hostile_models.save(getattr(hostile_models, name), tmp_path_factory.mktemp("hostile") / name)
        return made[name]

    return folder


def ask(folder: str, bounds: Bounds = ROOM, batch=ONE):
    with ModelProcess(folder, bounds) as process:
        return process.signature("serving_default")(batch)


def descendants() -> set[int]:
    told = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return {int(pid) for pid, parent in map(str.split, told.splitlines()) if int(parent) == os.getpid()}


@pytest.fixture(autouse=True)
def nothing_is_left(saved, tmp_path, monkeypatch):
    """No child, dead or alive, no open file and no file: after each of these tests."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path / "tmp")  # a core would lie here
    children, files = descendants(), len(os.listdir("/proc/self/fd"))
    yield
    assert {pid for pid in descendants() - children if Path(f"/proc/{pid}").exists()} == set()  # not the `ps` itself
    assert len(os.listdir("/proc/self/fd")) == files
    assert list((tmp_path / "tmp").iterdir()) == []


def test_numbers_and_strings_come_back_as_they_were_unless_they_are_too_many(tmp_path, monkeypatch):
    import tensorflow as tf

    class Everything(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text"), tf.TensorSpec([None], tf.int8, "n")])
        def serve(self, text, n):
            number = tf.cast(n, tf.float32) / 3
            return {
                "half": tf.cast(number, tf.bfloat16),
                "ids": tf.cast(n, tf.int64),
                "text": tf.strings.join([text, tf.constant(b"\xff\0")])[:, tf.newaxis],
                "none": number[:0],
            }

    module = Everything()
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"serving_default": module.serve})
    with ModelProcess(str(tmp_path / "model"), ROOM) as process:
        signature = process.signature("serving_default")
        assert signature.inputs == {"text": TensorInfo((None,), "string"), "n": TensorInfo((None,), "int8")}
        assert signature.outputs["half"] == TensorInfo((None,), "bfloat16")
        answer = signature({"text": np.array([b"a", b""], object), "n": np.array([1, 300], np.int32) % 127})
        with pytest.raises(ModelFailedError, match="no signature 'predict', only"):
            process.signature("predict")
        with pytest.raises(ModelFailedError, match=r"the model fails: InvalidArgumentError: \w"):
            signature({"text": np.array([b"a"], object), "n": np.array([b"a"], object)})
        long = {"text": np.array([b"x" * 5_000_000], object), "n": np.zeros(1)}  # more than a pipe holds
        large = signature(long)
        monkeypatch.setattr(model_process, "LARGEST_ANSWER", 4 * model_process.MEBIBYTE)
        with pytest.raises(ModelFailedError, match=r"must answer with at most 4 MiB\. Received: 4 MiB"):
            signature(long)
    assert answer["half"].dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(answer["half"], np.array([1 / 3, 46 / 3], ml_dtypes.bfloat16))
    assert (answer["ids"].dtype, answer["ids"].tolist()) == (np.int64, [1, 46])
    assert answer["text"].tolist() == [[b"a\xff\0"], [b"\xff\0"]]
    assert answer["none"].shape == (0,)
    assert len(large["text"][0, 0]) == 5_000_002


@pytest.mark.parametrize(
    ("name", "bounds", "kind", "told"),
    [
        ("LoopsWhenLoaded", Bounds(1.5, 3000), TimeOutError, "the model did not load within the 1.5 s that it has"),
        ("Aborts", ROOM, ModelFailedError, "the process that was to answer ended by signal SIGABRT: .*I give up"),
        # C's exit() beside TensorFlow's threads: what it tears down may crash one of them before the process is gone.
        (
            "Exits",
            ROOM,
            ModelFailedError,
            "the process that was to answer ended (with exit code 0|by signal SIG(SEGV|ABRT|ILL|BUS))",
        ),
    ],
)
def test_what_would_harm_a_server_ends_with_its_process_and_is_told(saved, name, bounds, kind, told):
    folder = saved(name)
    began = time.monotonic()
    with pytest.raises(kind, match=told) as raised:
        ask(folder, bounds)
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)
    assert time.monotonic() - began < 40


def test_a_model_that_is_killed_says_so(saved):
    with ModelProcess(saved("Loops"), ROOM) as process:
        os.kill(process._process.pid, signal.SIGKILL)
        with pytest.raises(ModelFailedError, match="ended by signal SIGKILL, as the system does where memory runs out"):
            process.signature("serving_default")(ONE)


def test_the_process_dies_with_the_one_that_asks(saved):
    """Killed in the middle of a question that never ends, the asker takes the answerer with it."""
    code = (
        "import numpy as np; from components.served_model.model_process import *\n"
        f"with ModelProcess({saved('Loops')!r}, Bounds(600, 3000)) as process:\n"
        "    print(process._process.pid, flush=True); process.ask('serving_default', {'x': np.ones((1, 2), 'f4')})"
    )
    asker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=REPOSITORY)
    answerer = int(asker.stdout.readline())
    time.sleep(0.5)
    assert Path(f"/proc/{answerer}").exists()
    asker.kill()
    asker.communicate()
    ends = time.monotonic() + 10
    while Path(f"/proc/{answerer}/exe").exists() and time.monotonic() < ends:  # of a zombie there is no such link
        time.sleep(0.05)
    assert not Path(f"/proc/{answerer}/exe").exists()


@pytest.mark.parametrize("command", ["/nowhere/python", "/bin/false", None])
def test_a_process_that_cannot_start_is_not_the_models_fault(monkeypatch, command):
    monkeypatch.setattr(sys, "executable", command)
    with pytest.raises(NotStartedError, match="the process that is to load the model could not"):
        ask("/nowhere")


def test_it_needs_no_file_at_all_and_no_tensorflow_in_the_process_that_asks(tmp_path):
    code = (
        "import sys; from components.served_model.model_process import *\n"
        f"try: ModelProcess({str(tmp_path)!r}, Bounds(60, 3000)).__enter__()\n"
        "except ModelFailedError as error: print(error, 'tensorflow' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True
    ).stdout
    assert "cannot be loaded: OSError" in told
    assert told.endswith("False\n")


def test_messages_that_are_damaged_never_get_through_as_something_else():
    whole = messages.to_bytes({"kind": "answer"}, {"y": np.arange(6.0).reshape(2, 3)})
    head, body = messages.SIZES.unpack(whole[: messages.SIZES.size])
    start = messages.SIZES.size
    words, tensors = messages.from_bytes(whole[start : start + head], whole[start + head :])
    assert words == {"kind": "answer"}
    np.testing.assert_array_equal(tensors["y"], np.arange(6.0).reshape(2, 3))
    assert len(whole) == start + head + body
    for wrong in (whole[start + head : -1], whole[start + head :] + b"x", b""):
        with pytest.raises(model_process._DAMAGE):
            messages.from_bytes(whole[start : start + head], wrong)
    with pytest.raises(model_process._DAMAGE):
        messages.from_bytes(b"[]", b"")


@pytest.mark.parametrize(
    "words", [{}, {"signatures": 7}, {"signatures": {"a": [1]}}, {"signatures": {"a": [{"x": 1}, {}]}}]
)
def test_signatures_that_make_no_sense_are_the_models_fault(words):
    with pytest.raises(ModelFailedError, match="says nothing of its signatures"):
        ModelProcess("/model", ROOM)._loaded(words)


def test_an_error_is_one_that_callers_know():
    assert issubclass(NotStartedError, MonitorError)
    assert not issubclass(NotStartedError, ModelFailedError)
