"""`model-monitor new`: when it writes nothing, and that what it writes is for a cluster too."""

import sys

import pytest

from model_monitor import cli
from model_monitor.submitting import specification
from tests.support.foreign_data import Labelled, write_examples
from tests.support.plain_models import pixels

FEATURES = {"image": "image/encoded", "label": "image/label", "id": "image/id"}


@pytest.mark.parametrize(("count", "enough"), [("2000", False), ("100", True)])
def test_too_few_examples_for_a_baseline_are_refused_unless_there_may_be_more(tmp_path, capfd, count, enough):
    images, labels = pixels(100)
    data = Labelled(tuple(images), tuple(labels.tolist()), tuple(f"image-{number}" for number in range(100)))
    write_examples(tmp_path / "a.tfrecord.gz", data, FEATURES)
    command = ["new", str(tmp_path / "project"), "--examples", f"{tmp_path}/*.gz", "--count", count]
    assert cli.main(command) == (0 if enough else 1)
    printed = capfd.readouterr().err
    assert ("650 Examples or more" in printed and "which has 100" in printed) is not enough
    assert (tmp_path / "project").exists() is enough


def test_the_project_compiles_for_kubeflow_with_its_data_and_its_destination_as_parameters(tmp_path, monkeypatch):
    images, labels = pixels(100)
    data = Labelled(tuple(images), tuple(labels.tolist()), tuple(f"image-{number}" for number in range(100)))
    write_examples(tmp_path / "a.tfrecord.gz", data, FEATURES)
    project = tmp_path / "project"
    assert cli.main(["new", str(project), "--examples", f"{tmp_path}/*.gz", "--count", "100"]) == 0
    monkeypatch.chdir(project)
    monkeypatch.delitem(sys.modules, "pipeline", raising=False)
    command = ["compile", "--pipeline", "pipeline:for_kubeflow", "--image", "registry/project:1", "-o", "out.yaml"]
    assert cli.main(command) == 0
    made = specification.read(project / "out.yaml")
    assert (made.name, sorted(made.parameters)) == ("project", ["data", "destination"])
    assert str(tmp_path) not in (project / "out.yaml").read_text(), "no path of this machine"
