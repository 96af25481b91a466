"""Every code block of README.md and docs/ runs as it is written, or says why it cannot.

What the comment above a block may say is in tests/support/code_blocks.py.
"""

import ast
import fcntl
import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.common.model_spec import ModelSpec
from components.common.records.decision import Decision
from components.push_gate.policy import parse_policy
from model_monitor import cli
from model_monitor.watch.settings import WatchConfig
from pipelines.cifar10.config import Cifar10Config
from pipelines.config import load
from tests.docs.sessions import Sessions, compiles
from tests.support.code_blocks import REPOSITORY, Block, all_blocks, blocks, labels
from tests.support.interrupting import interruptible

BLOCKS = all_blocks()
LANGUAGES = {"python", "sh", "console", "yaml", "json", "pbtxt", "text"}

# Pages with blocks that nothing runs, and how many. A new one has to be entered here.
NOT_RUN = {
    "README.md": 3,  # the full data set, a story of five minutes, and a cluster
    "docs/acting.md": 3,  # pushed versions, windows and incidents of a user
    "docs/benchmarks.md": 7,  # figures that take minutes to hours, most of them on the full data set
    "docs/classifier.md": 1,  # a training of two minutes
    "docs/data.md": 1,  # a download
    "docs/detection_benchmark.md": 2,  # hours
    "docs/inspecting.md": 1,  # a cluster
    "docs/kubeflow.md": 5,  # a cluster, a registry of images, a project of Google Cloud's, figures that take minutes
    "docs/scale.md": 1,  # minutes, and gigabytes
    "docs/live_benchmark.md": 6,  # hours, some on the full data set; times, for minutes
}


# Programs of others, of whose arguments nothing is known here.
OTHERS = {"docker", "export", "kind", "kubectl"}


def blocks_of(*languages: str, run: bool = True) -> list[Block]:
    """The blocks in a language that are run here, or those that nothing runs."""
    found = [block for block in BLOCKS if block.language in languages]
    return [block for block in found if not block.run_by[0] and bool(block.reason_not_run) != run]


@pytest.fixture(scope="module")
def sessions(tmp_path_factory) -> Sessions:
    return Sessions(tmp_path_factory.mktemp("sessions"))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_says_its_language(block):
    assert block.language in LANGUAGES


@pytest.mark.parametrize("block", blocks_of("python"), ids=str)
def test_python_runs(block, sessions):
    sessions.run(block)
    nodes = compiles(sessions.defined(block.page), REPOSITORY)
    assert nodes or ".outputs[" not in block.text


@pytest.mark.parametrize("block", blocks_of("sh"), ids=str)
def test_commands_run(block, shell, serve):
    assert block.commands
    for command in block.commands:
        if " ui" in command:
            serve(command)
            continue
        done = shell(command)
        assert done.returncode == block.exit_code, f"{command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.fixture
def serve(place, environment, tmp_path_factory):
    """Starts a server, and stops it once it has said where it is: (command) -> None.

    The docs let it listen on the port that it has by default, so that two tests in two processes take turns.
    """

    def run(command: str) -> None:
        with (tmp_path_factory.getbasetemp().parent / "server.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            said = _said_by_server(command, place, environment)
        if "in use" in said:
            pytest.skip(f"another program listens where `{command}` would: {said}")
        assert "http://127.0.0.1:" in said

    return run


def _said_by_server(command: str, folder: Path, environment: dict[str, str]) -> str:
    with (
        interruptible(),
        subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=folder,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        try:
            said = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            return said + process.communicate(timeout=30)[0]
        finally:
            process.kill()


@pytest.mark.parametrize("block", blocks_of("console"), ids=str)
def test_commands_print_what_is_shown(block, shell):
    """The rows of a table have the same labels; where the comment says `exactly`, the output is the same."""
    (command,) = block.commands
    done = shell(command)
    assert done.returncode == 0, done.stderr
    shown = block.text.split("\n", 1)[1]
    if block.note == "exactly":
        assert done.stdout == shown
        return
    assert labels(shown), "nothing to compare"
    assert labels(shown) - labels(done.stdout) == set()


# What reads a block of data: it raises where the block is not what its comment says it is.
def _dead_letter(text: str) -> None:
    line = json.loads(text.replace("\n", ""))
    assert set(line) == {"file", "record", "size", "kept_bytes", "images", "broken_images"}
    assert line["broken_images"] == sum(image["row"] is not None for image in line["images"])


def _training_settings(text: str) -> None:
    Path("settings.yaml").write_text(text, encoding="utf-8")
    load(Cifar10Config, Path("settings.yaml"))


def _watch_settings(text: str) -> None:
    Path("settings.yaml").write_text(text, encoding="utf-8")
    load(WatchConfig, Path("settings.yaml"))


def _schema(text: str) -> None:
    assert text_format.Parse(text, schema_pb2.Schema()).feature


def _decision(text: str) -> None:
    decision = Decision.from_json(text)
    assert json.loads(decision.to_json()) == json.loads(text)


def _push_policy(text: str) -> None:
    spec = ModelSpec.from_record(yaml.safe_load(blocks("docs/model_spec.md")[0].text))
    types = anomalies_pb2.AnomalyInfo.Type.keys()
    assert parse_policy(text, types, spec) != parse_policy("", types, spec)


READERS = {
    "a push policy": _push_policy,
    "training settings": _training_settings,
    "watch settings": _watch_settings,
    "a schema": _schema,
    "a decision": _decision,
    "a dead letter": _dead_letter,
}


@pytest.mark.parametrize("block", blocks_of("yaml", "json", "pbtxt"), ids=str)
def test_data_is_what_its_reader_takes(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    READERS[block.read_as](block.text)


@pytest.mark.parametrize("block", blocks_of("text"), ids=str)
def test_text_says_what_it_is(block):
    assert block.note in ("example output", "folders", "layout", "formula")


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.note == "folders"], ids=str)
def test_every_folder_and_file_that_is_shown_is_there(block):
    missing, parents = [], []
    for line in block.text.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split(r" {2,}", line.strip())
        paths = [name for name in names[:-1] or names if re.fullmatch(r"[\w./-]+", name)]
        found = [Path(*parents[:depth], path) for path in paths]
        missing += [str(path) for path in found if not (REPOSITORY / path).exists()]
        parents[depth:] = paths[:1]
    assert missing == []


def test_no_more_blocks_are_left_out_than_are_entered_here():
    left_out = Counter(block.page for block in BLOCKS if block.reason_not_run)
    assert dict(left_out) == NOT_RUN


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.reason_not_run], ids=str)
def test_commands_that_nothing_runs_exist_and_take_these_arguments(block):
    assert len(block.reason_not_run) > 15
    for command in block.commands:
        _check(command)


def _check(command: str) -> None:
    """That a command line could be started: its program or module is there, and its arguments are known to it."""
    words = shlex.split(command.split("&&", maxsplit=1)[0])
    program = os.path.basename(words[0])
    if program == "model-monitor":
        options = cli._parser().parse_args(words[1:])
        if words[1] == "train":
            load(Cifar10Config, None, options.set)
    elif program == "make":
        subprocess.run(["make", "-n", *words[1:]], cwd=REPOSITORY, check=True, capture_output=True)
    elif program in OTHERS:
        return
    elif words[1:2] == ["-m"]:
        assert importlib.util.find_spec(words[2]) is not None, command
    else:
        pytest.fail(f"nothing here knows how to check {command!r}")


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.run_by[0]], ids=str)
def test_blocks_that_another_test_runs_are_read_there(block):
    path, name = block.run_by
    source = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    words = {node.value for node in ast.walk(source) if isinstance(node, ast.Constant)}
    called = {getattr(node.func, "id", "") for node in ast.walk(source) if isinstance(node, ast.Call)}
    assert called & {"named", "blocks"}
    assert block.page in words
    assert name in words | {""}
