"""A step is given the same by TFX as by anybody else, and what it says of its outputs is in ML Metadata afterwards."""

import os
import re

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.common.artifacts.files import Artifact
from components.common.artifacts.properties import scalars
from components.common.artifacts.writing import local_writing
from components.common.errors import MonitorError
from components.common.step import Output, Step

ONE = Artifact("/runs/1", address="s3://bucket/1")


def test_what_a_step_needs_is_there_or_said_to_be_missing():
    step = Step({"model": [ONE], "none": [], "two": [ONE, Artifact("/runs/2")]}, {}, {"seed": 0, "text": ""})
    assert step.input("model").known_as == "s3://bucket/1"
    assert step.optional("none") is step.optional("never") is None
    assert (step.parameter("seed"), step.text("text"), step.text("never")) == (0, "", "")
    with pytest.raises(MonitorError, match=r"The input `none` must hold one artifact\. Received: none"):
        step.input("none")
    with pytest.raises(
        MonitorError, match=r"The input `two` must hold one artifact\. Received: s3://bucket/1, /runs/2"
    ):
        step.optional("two")
    with pytest.raises(MonitorError, match=r"The output `report` must hold one artifact\. Received: none"):
        step.output("report")
    with pytest.raises(MonitorError, match=r"given the execution property `spec`\. Received: seed, text"):
        step.parameter("spec")


@pytest.mark.parametrize(("properties", "span"), [({}, 0), ({"span": 7}, 7), ({"span": 7.0}, 7)])
def test_a_span_is_a_whole_number(properties, span):
    assert Artifact("/runs/1", properties=properties).span == span


@pytest.mark.parametrize("span", ["7", 7.5, float("nan"), float("inf")])
def test_what_is_no_span_is_refused(span):
    with pytest.raises(MonitorError, match="`span` must be a whole number in /runs/1"):
        _ = Artifact("/runs/1", properties={"span": span}).span


def test_texts_messages_and_folders_are_written(tmp_path):
    step, made = Step({}, {}, {}), Output(str(tmp_path / "made"), address="s3://bucket/made")
    assert made.known_as == "s3://bucket/made"
    step.write_text(made.path("a", "page.html"), "ü")
    assert (tmp_path / "made" / "a" / "page.html").read_bytes() == "ü".encode()
    message = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    for name in ("found.pb", "found.pbtxt"):
        step.write_message(made.split_path("eval", name), message)
        read = step.files.message(str(tmp_path / "made" / "Split-eval" / name), anomalies_pb2.Anomalies())
        assert read == message
    step.copy_file(made.path("a", "page.html"), made.path("b.html"))
    assert (tmp_path / "made" / "b.html").read_text() == "ü"


def tree(folder) -> dict[str, str | None]:
    return {str(p.relative_to(folder)): p.read_text() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def model(folder):
    for name in ("saved_model.pb", "variables/data", "assets.extra/baseline/manifest.json", "assets.extra/note"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "assets").mkdir()
    (folder / "linked").symlink_to(folder / "variables")
    return folder


@pytest.fixture(params=["without TFX", "TFX's"])
def writing(request):
    if request.param == "without TFX":
        return local_writing()
    from components.common.tfx_files import tfx_writing

    return tfx_writing()


def test_a_folder_is_copied_with_what_links_lead_to_and_without_what_is_left_out(tmp_path, writing):
    source, target = model(tmp_path / "source"), tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    (target / "old").touch()
    writing.copy_tree(str(source), str(target), "assets.extra/baseline")
    wanted = tree(source)
    wanted |= {"linked/data": "variables/data"}
    del wanted["assets.extra/baseline"], wanted["assets.extra/baseline/manifest.json"]
    assert tree(target) == wanted | {"linked": None} or tree(target) == wanted


def test_a_folder_that_is_not_there_or_is_in_itself_or_holds_a_pipe_is_not_copied(tmp_path):
    writing = local_writing()
    with pytest.raises(MonitorError, match="`source` must be a folder that is there"):
        writing.copy_tree(str(tmp_path / "none"), str(tmp_path / "target"), "")
    (tmp_path / "round" / "and").mkdir(parents=True)
    (tmp_path / "round" / "and" / "back").symlink_to(tmp_path / "round")
    with pytest.raises(MonitorError, match="must not lead back into a folder that it is in"):
        writing.copy_tree(str(tmp_path / "round"), str(tmp_path / "target"), "")
    (tmp_path / "pipes").mkdir()
    os.mkfifo(tmp_path / "pipes" / "pipe")
    with pytest.raises(OSError, match="named pipe"):
        writing.copy_tree(str(tmp_path / "pipes"), str(tmp_path / "target"), "")


VALUES = {"blessed": 1, "p_value": 0.25, "reason": "fine", "split_names": '["eval"]', "large": 2.0**60}


def as_on_kubeflow():
    """An artifact as TFX's entry point makes it of what KFP hands it: every custom property is a structure."""
    from tfx.types import artifact as tfx_artifact
    from tfx.types import standard_artifacts

    made = standard_artifacts.ModelBlessing()
    made.uri = "/runs/1"
    for key, value in {**VALUES, "many": [1, 2], "by": {"eval": 1}}.items():
        made.mlmd_artifact.custom_properties[key].struct_value.CopyFrom(tfx_artifact._encode_struct_value(value))
    return made


def test_properties_of_kubeflow_are_those_of_everywhere():
    from components.common.tfx_files import artifact_of

    found = artifact_of(as_on_kubeflow()).properties
    assert found == {**VALUES, "large": 2.0**60, "many": "[1.0, 2.0]", "by": '{"eval": 1.0}'}
    assert {key: type(found[key]) for key in VALUES} == {key: type(value) for key, value in VALUES.items()}
    assert artifact_of(as_on_kubeflow()).properties["reason"] == as_on_kubeflow().get_string_custom_property("reason")


def test_properties_of_a_store_are_as_they_were_recorded():
    from ml_metadata.proto import metadata_store_pb2

    stored = {"a": metadata_store_pb2.Value(int_value=3), "b": metadata_store_pb2.Value(double_value=3.0)}
    found = scalars(stored, {"c": metadata_store_pb2.Value(string_value="3")})
    assert found == {"a": 3, "b": 3.0, "c": "3"}
    assert [type(value) for value in found.values()] == [int, float, str]


def executor(step_of):
    from components.common.step_executor import StepExecutor

    class Executor(StepExecutor):
        run = staticmethod(step_of)

    return Executor


def test_tfx_gives_a_step_its_inputs_and_takes_the_properties_of_its_outputs():
    from tfx.dsl.components.base.base_executor import BaseExecutor
    from tfx.proto.orchestration import pipeline_pb2
    from tfx.types import standard_artifacts

    seen = []

    def run(step: Step) -> None:
        seen.append(step)
        output = step.output("anomalies")
        output.split_names, output.span = ["eval", "train"], step.input("blessing").span
        output.properties |= {"alarm": 1, "p_value": 1.0, "state": "fine"}

    made = standard_artifacts.ExampleAnomalies()
    made.uri, made.id = "/runs/2", 5
    context = BaseExecutor.Context(pipeline_info=pipeline_pb2.PipelineInfo(id="watch"), pipeline_run_id="3")
    given = {"seed": 7, "labels": None}
    executor(run)(context).Do({"blessing": [as_on_kubeflow()], "empty": []}, {"anomalies": [made]}, given)
    [step] = seen
    assert (step.pipeline, step.run_id, step.parameters) == ("watch", "3", {"seed": 7})
    output = step.output("anomalies")
    assert (output.uri, output.type, output.id, output.address) == ("/runs/2", "ExampleAnomalies", 5, "")
    assert (made.split_names, made.span) == ('["eval", "train"]', 0)
    kinds = {key: value.WhichOneof("value") for key, value in made.mlmd_artifact.custom_properties.items()}
    assert kinds == {"alarm": "int_value", "p_value": "double_value", "state": "string_value"}
    executor(seen.append)().Do({}, {}, {})
    assert (seen[-1].pipeline, seen[-1].run_id) == ("", "")


@pytest.mark.parametrize("value", [True, None, [1], b"x"])
def test_a_property_of_another_kind_is_refused(value):
    from tfx.types import standard_artifacts

    made = standard_artifacts.Schema()
    step = executor(lambda step: step.output("schema").properties.update(p=value))
    said = re.escape(f"property 'p' must be an int, a float or a str. Received: {value!r}")
    with pytest.raises(TypeError, match=said):
        step().Do({}, {"schema": [made]}, {})
