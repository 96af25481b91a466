"""`model-monitor compile`: which pipeline, from which settings, into which file."""

from pathlib import Path

import pytest
import yaml

from model_monitor import cli
from model_monitor.submitting import specification
from tests.support.kubeflow.compiled import IMAGE, SPEC_FILE

OWN = """
from tfx.components import ImportExampleGen
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline

def create():
    return Pipeline("digits", components=[ImportExampleGen(RuntimeParameter("data", str))])

def nothing():
    return None

def broken():
    raise ValueError("no data today")
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_pipeline.py").write_text(OWN)
    monkeypatch.delitem(__import__("sys").modules, "own_pipeline", raising=False)
    return "own_pipeline"


def compile_it(*arguments: str, out: Path, image: str = IMAGE) -> int:
    return cli.main(["compile", "--image", image, "-o", str(out), *arguments])


def test_the_file_is_written_and_what_each_run_must_be_given_is_said(tmp_path: Path, capsys):
    out = tmp_path / "new" / "monitoring.yaml"
    settings = ("serving_dir=s3://models", SPEC_FILE)
    given = [part for setting in settings for part in ("--set", setting)]
    assert compile_it("--pipeline", "monitoring", *given, out=out) == 0
    made = specification.read(out)
    assert (made.name, [each.name for each in made.parameters.values() if each.required]) == ("monitoring", ["logs"])
    said = capsys.readouterr().out
    assert "Parameters to be given by each run: logs" in said
    assert "Parameters with a default: baseline, false_alarm_rate, labels, previous, span" in said


def test_the_image_and_the_volumes_may_come_from_a_file_of_settings(tmp_path: Path):
    settings = {"serving_dir": "/serving", "model_spec": SPEC_FILE.partition("=")[2],
                "kubeflow": {"image": "other:2", "mounts": [{"claim": "models", "path": "/serving"}]}}  # fmt: skip
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    out = tmp_path / "monitoring.yaml"
    given = ("--pipeline", "monitoring", "--config", str(tmp_path / "settings.yaml"))
    assert compile_it(*given, out=out, image="") == 0
    text = out.read_text()
    assert "image: other:2" in text
    assert "pvcMount" in text


def test_a_pipeline_of_one_s_own_is_found_in_this_folder(own: str, tmp_path: Path):
    out = tmp_path / "own.yaml"
    assert compile_it("--pipeline", f"{own}:create", out=out) == 0
    assert list(specification.read(out).parameters) == ["data"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nothing", "must give a pipeline of TFX's, without being told anything. Received: 'NoneType'"),
        ("broken", "must give a pipeline. Received: ValueError: no data today"),
        ("missing", "must be a function of own_pipeline. Received: None"),
    ],
)
def test_a_function_that_gives_no_pipeline_is_an_error_and_nothing_is_written(own, name, sentence, tmp_path, capsys):
    out = tmp_path / "own.yaml"
    assert compile_it("--pipeline", f"{own}:{name}", out=out) == 1
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--pipeline", "trainig"), "`--pipeline` must be training, monitoring or MODULE:FUNCTION"),
        (("--pipeline", "nowhere:create"), "Received: ModuleNotFoundError: No module named 'nowhere'"),
        (("--pipeline", "monitoring", "--set", "bundle=/nowhere"), "`model_spec` must be the file that describes"),
        (("--pipeline", "monitoring", "-o", "pipeline.json"), "`--out` must be a file named *.yaml"),
        (("--pipeline", "a:b", "--set", "root=runs"), "must have no `root`"),
    ],
)
def test_what_cannot_be_compiled_is_said_in_one_sentence(arguments, sentence, tmp_path, capsys):
    assert compile_it(*arguments, out=tmp_path / "x.yaml") == 1
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "x.yaml").exists()
