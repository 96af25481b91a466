"""The command of a container, attacked: whatever it is told, it ends well and says all, or with one sentence."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from components.common.processor import VARIABLE
from pipelines.runners.kfp.executor_input import INPUT_ARGUMENT, SPEC_ARGUMENT
from pipelines.runners.kfp_entrypoint import main
from pipelines.runners.project_version import project_version
from tests.support.warm.starting import REPOSITORY, warm

GUARD = "components.verdict_guard.executor.Executor"
LONGEST_ARGUMENT = 131_071  # bytes, as Linux has it
REPORT = {"outcome": "passed", "states": "fine", "verdict": "Span 1 is fine."}
# A room of steps like ours, of which `common` says what a step is and `slow` has one.
SLOW = """
import pathlib, time
def run(step):
    made = pathlib.Path(step.output("made").uri)
    made.mkdir()
    (made / "half").write_text("half")
    if step.parameters.get("raises"):
        1 / 0
    time.sleep(step.parameters.get("seconds", 0))
    step.output("made").properties.update({"number": step.parameters.get("number", 0.5)})
"""


def told(output: Path, *, executor: str = GUARD, outputs: tuple[str, ...] = (), **parameters: Any) -> list[str]:
    """The arguments of a step with a report that has passed, in what stands for a pod."""
    report = {"uri": str(output.parent / "report"), "metadata": REPORT}
    made = {key: {"artifacts": [{"name": key, "uri": str(output.parent / key)}]} for key in outputs}
    given = {
        "inputs": {"artifacts": {"report": {"artifacts": [report]}}, "parameterValues": parameters},
        "outputs": {"artifacts": made, "outputFile": str(output)},
    }
    return ["--executor_class_path", executor, f"--{INPUT_ARGUMENT}", json.dumps(given)]


def failing(output: Path) -> list[str]:
    return [part.replace('"passed"', '"failed"').replace('"fine"', '"changed"') for part in told(output)]


def container(*arguments: str, python: str = sys.executable, room: Path = REPOSITORY) -> subprocess.CompletedProcess:
    path = os.pathsep.join([str(REPOSITORY), str(room)])
    return subprocess.run(
        [python, "-m", "pipelines.runners.kfp_entrypoint", *arguments],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "kfp_outputs" / "output_metadata.json"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module, text in (("common/step.py", ""), ("slow/step.py", SLOW), ("slow/executor.py", "")):
        path = tmp_path / "image" / "some_room" / module
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "image"))
    return tmp_path / "image"


def last(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "The command of the container must be that of a compiled pipeline. Received: the following arguments are"),
        (["--executor_class_path"], "argument --executor_class_path: expected one argument"),
        (["--executor_class_path", GUARD, f"--{INPUT_ARGUMENT}", "hello"], "must be JSON. Received: Expecting value"),
        (["--executor_class_path", GUARD, f"--{INPUT_ARGUMENT}", "{}"], "`outputs.outputFile` must be the path"),
        (["--executor_class_path", GUARD, f"--{INPUT_ARGUMENT}", "{{$}}"], "must be JSON"),
        (["stray", "--executor_class_path", GUARD, f"--{INPUT_ARGUMENT}", "{}"], "'stray', which belongs to none"),
        (["--compiled_by=9.9.9", "--nothing=else"], "The command of the container must be"),
    ],
)
def test_what_is_no_command_of_a_compiled_pipeline_is_said_in_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
):
    assert main(arguments) == 1
    written = capsys.readouterr()
    assert says in written.err
    assert (written.out, written.err.count("\n")) == ("", 1)


def test_another_version_than_compiled_is_refused_before_anything_is_done(
    output: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["--compiled_by=9.9.9", *failing(output)]) == 1
    assert last(capsys).startswith(f"The pipeline was compiled by 9.9.9, the image holds {project_version()}")
    assert not output.parent.exists()
    assert main([f"--compiled_by={project_version()}", *told(output)]) == 0


def test_beam_s_arguments_are_none_of_ours_in_either_form(output: Path):
    assert main([*told(output), "--direct_num_workers=1", "--runner", "DirectRunner", "--save_main_session"]) == 0


def test_a_step_that_ends_well_says_so_in_one_whole_file(output: Path):
    for _ in range(2):  # run twice it says the same
        done = container(*told(output))
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(output.read_text()) == {"artifacts": {}}
        assert os.listdir(output.parent) == [output.name]


def test_a_step_that_raises_ends_with_its_sentence_and_leaves_no_output_file(output: Path):
    output.parent.mkdir(parents=True)
    output.write_text('{"artifacts": {"made": "by an attempt before"}}')
    done = container(*failing(output))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"Span 1 is fine. Report: {output.parent}/report/report.html"
    assert os.listdir(output.parent) == []


def test_what_no_step_should_raise_is_told_with_where_and_ends_in_a_sentence(
    output: Path, room: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(told(output, executor="some_room.slow.executor.Executor", outputs=("made",), raises=1)) == 1
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert written.splitlines()[-1] == "The step failed. ZeroDivisionError: division by zero"
    assert not output.exists()


def test_a_step_that_is_killed_leaves_no_output_file(output: Path, room: Path):
    command = told(output, executor="some_room.slow.executor.Executor", outputs=("made",), seconds=600)
    path = os.pathsep.join([str(REPOSITORY), str(room)])
    started = subprocess.Popen(
        [sys.executable, "-m", "pipelines.runners.kfp_entrypoint", *command], env={**os.environ, "PYTHONPATH": path}
    )
    while not (output.parent / "made" / "half").exists():
        assert started.poll() is None
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL
    assert not output.exists()


def test_numbers_that_json_has_not_are_refused(output: Path, room: Path, capsys: pytest.CaptureFixture[str]):
    command = told(output, executor="some_room.slow.executor.Executor", outputs=("made",), number=0.25)
    (room / "some_room" / "slow" / "step.py").write_text(SLOW.replace('step.parameters.get("number", 0.5)', "1e999"))
    for name in [name for name in sys.modules if name.startswith("some_room")]:
        del sys.modules[name]
    assert main(command) == 1
    assert "must be finite numbers and text" in last(capsys)
    assert not output.exists()


@pytest.mark.parametrize("what", ["a file in place of its folder", "a folder in its place"])
def test_an_output_file_that_cannot_be_written_is_said_before_the_work(
    what: str, output: Path, room: Path, capsys: pytest.CaptureFixture[str]
):
    if what == "a folder in its place":
        output.mkdir(parents=True)
    else:
        output.parent.write_text("")
    command = told(output, executor="some_room.slow.executor.Executor", outputs=("made",))
    assert main(command) == 1
    assert "`outputs.outputFile` must be a file that can be written: " in last(capsys)
    assert not (output.parent / "made").exists()


def test_an_argument_as_long_as_linux_allows_is_read(output: Path):
    command = told(output, executor=GUARD, padding="")
    command[-1] = command[-1].replace('"padding": ""', f'"padding": "{"x" * (LONGEST_ARGUMENT - len(command[-1]))}"')
    assert len(command[-1]) == LONGEST_ARGUMENT
    assert container(*command).returncode == 0


def test_a_light_step_imports_nothing_of_tfx_s(output: Path):
    heavy = ["apache_beam", "kfp", "kubernetes", "pandas", "tensorflow", "tfx"]
    code = f"""
import sys
from pipelines.runners.kfp_entrypoint import main
assert main({told(output)!r}) == 0
print([name for name in {heavy!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("executor", "runner", "labels", "light"),
    [
        ("performance_estimator", "FlinkRunner", "labels.csv", False),
        ("performance_estimator", "FlinkRunner", "none", True),
        ("performance_estimator", "apache_beam.runners.portability.fn_api_runner.FnApiRunner", "labels.csv", True),
        ("performance_estimator", "", "labels.csv", True),
        ("skew_drift_validator", "FlinkRunner", "labels.csv", True),
    ],
)
def test_what_beam_shares_out_is_no_light_step_where_beam_has_workers_elsewhere(
    executor: str, runner: str, labels: str, light: bool, output: Path, capsys: pytest.CaptureFixture[str]
):
    command = told(output, executor=f"components.{executor}.executor.Executor", labels_file=labels)
    assert main([*command, *([f"--runner={runner}"] if runner else [])]) == 1
    assert last(capsys).startswith(("The input `", "The step must be given")) == light  # as a step says what it lacks


@pytest.mark.parametrize(
    "executor", ["no.such.Executor", "components.validation_report.executor.NoExecutor", "Executor"]
)
def test_a_class_that_the_image_has_not_is_said(executor: str, output: Path):
    python = str(warm().commands / "python")
    done = container(*told(output, executor=executor), f"--{SPEC_ARGUMENT}", "{}", python=python)
    assert done.returncode == 1
    assert "`--executor_class_path` must be a class that the image holds" in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].endswith(f"Received: '{executor}'")
    assert not output.exists()


def test_an_artifact_of_no_type_of_tfx_s_is_said(output: Path):
    python = str(warm().commands / "python")
    done = container(*told(output, executor="tfx.components.schema_gen.executor.Executor"), python=python)
    assert done.stderr.splitlines()[-1].startswith("`type of report` must be one that TFX has, as the compiler writes")
    assert (done.returncode, output.exists()) == (1, False)


def test_openblas_is_told_of_the_processor_before_numpy_is_imported():
    code = (
        "import os, sys; from pipelines.runners import kfp_entrypoint; before = 'numpy' in sys.modules; "
        "kfp_entrypoint.main([]); print(before, os.environ.get('OPENBLAS_CORETYPE'))"
    )
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", str(os.environ.get(VARIABLE))]
