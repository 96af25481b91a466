"""A run's parameters are checked against the compiled pipeline, with the types that it gives them."""

import pytest

from components.common.errors import MonitorError
from model_monitor.submitting import specification
from tests.support.kubeflow.specifications import PARAMETERS, write


@pytest.fixture
def pipeline(tmp_path):
    return specification.read(write(tmp_path / "pipeline.yaml"))


def test_the_pipeline_is_read_with_what_kubernetes_is_told_beside_it(tmp_path):
    read = specification.read(write(tmp_path / "pipeline.yaml", platforms={"kubernetes": {}}))
    assert read.name == "tiny"
    assert set(read.parameters) == set(PARAMETERS)


def test_values_have_the_types_of_the_pipeline(pipeline):
    given = ["data=a=b", "span=7", "rate=1", "rows=-3", "whole=true", 'words=["a"]', 'table={"a": 1}']
    values = pipeline.arguments(given)
    assert values == {
        "data": "a=b",
        "span": "7",
        "rate": 1,
        "rows": -3,
        "whole": True,
        "words": ["a"],
        "table": {"a": 1},
    }


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["data"], "`--param` must be key=value"),
        (["=1"], "`--param` must be key=value"),
        (["data=a", "data=b"], "`--param data` must be given once"),
        (["data=a", "spam=7"], r"must name a parameter of tiny \(data, .*Received: 'spam' \(did you mean 'span'\?\)"),
        ([], "the pipeline tiny has no default for them, so give --param data=..."),
        (["data=a", "rows=7.5"], "`--param rows` must be a whole number. Received: '7.5'"),
        (["data=a", "rows=true"], "must be a whole number"),
        (["data=a", "rate=NaN"], "must be a number"),
        (["data=a", "rate=1e999"], "must be a number"),
        (["data=a", "rate="], "must be a number"),
        (["data=a", "whole=1"], "must be true or false"),
        (["data=a", 'words={"a": 1}'], "must be a list in JSON"),
        (["data=a", "table=[1]"], "must be an object in JSON"),
    ],
)
def test_a_parameter_that_is_not_the_pipelines_is_refused(pipeline, settings, told):
    with pytest.raises(MonitorError, match=told):
        pipeline.arguments(settings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no document with `pipelineInfo`"),
        ("a: 1", "no document with `pipelineInfo`"),
        ("pipelineInfo: {name: x}\nschemaVersion: 2.0.0", "schemaVersion '2.0.0'"),
        ("pipelineInfo: {name: x}\nschemaVersion: 2.1.0", "KeyError: 'root'"),
        ("pipelineInfo: x\nschemaVersion: 2.1.0\nroot: {}", "TypeError"),
        ("pipelineInfo: [", "must be YAML"),
        ("pipelineInfo: \x00", "must be YAML"),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused(tmp_path, text, told):
    file = tmp_path / "pipeline.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MonitorError, match=told):
        specification.read(file)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(MonitorError, match="must be a readable YAML file"):
        specification.read(tmp_path / "none.yaml")
    with pytest.raises(MonitorError, match="must be a regular file"):
        specification.read(tmp_path)
