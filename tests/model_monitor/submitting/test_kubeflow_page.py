"""docs/kubeflow.md: its commands compile and submit the pipelines as they are written, and print what it says."""

import shlex
import shutil
from pathlib import Path
from unittest import mock

import pytest

from tests.support.code_blocks import REPOSITORY, blocks, named
from tests.support.kubeflow.pipelines_api import Api, serving
from tests.support.printed import words
from tests.support.warm.starting import warm

PAGE = "docs/kubeflow.md"
HOST = "http://localhost:8080"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with the page's configurations."""
    folder = tmp_path_factory.mktemp("place")
    for file, kind in (("training.yaml", "training settings"), ("monitoring.yaml", "watch settings")):
        (text,) = [block.text for block in blocks(PAGE) if block.read_as == kind]
        (folder / file).write_text(text, encoding="utf-8")
    shutil.copy(REPOSITORY / "schemas" / "cifar10" / "model_spec.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def api():
    with serving(Api()) as served:
        yield served


@pytest.mark.parametrize("name", ["compile", "submit", "monitor"])
def test_the_commands_print_what_is_written(name: str, place: Path, api: Api):
    block = named(PAGE, name)
    printed = ""
    for command in block.commands:
        done = warm().call(*shlex.split(command.replace(HOST, api.url)), folder=place)
        assert (done.returncode, done.stderr) == (0, "")
        printed += f"$ {command}\n{done.stdout.replace(api.url, HOST)}"
    assert words(printed) == words(block.text)


def test_the_client_of_vertex_ai_takes_what_is_compiled_for_it(place: Path, monkeypatch: pytest.MonkeyPatch):
    """All but the sending, for which somebody has to be known to Google: only its arguments are checked."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    (compiles,) = [line for each in blocks(PAGE) for line in each.commands if "--target vertex" in line]
    done = warm().call(*shlex.split(compiles), folder=place)
    assert (done.returncode, done.stderr) == (0, "")
    aiplatform.init(credentials=AnonymousCredentials())
    monkeypatch.chdir(place)
    with (
        mock.patch.object(aiplatform.PipelineJob, "submit", autospec=True) as submitted,
        mock.patch.object(aiplatform.PipelineJob, "create_schedule", autospec=True) as scheduled,
    ):
        exec(named(PAGE, "vertex").text, {})  # noqa: S102 - the page's
    (job,) = submitted.call_args.args
    assert dict(job._gca_resource.runtime_config.parameter_values) == {"span": "7"}
    scheduled.assert_called_once()
