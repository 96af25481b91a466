"""What is mended in what Kubeflow hands to a container: JSON in, JSON out, in every dialect that there is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.common.errors import MonitorError
from pipelines.runners.kfp import lost_folders
from pipelines.runners.kfp.executor_input import Declared, plain_parameters, read_declared, read_input
from pipelines.runners.kfp.executor_output import write_output
from pipelines.runners.kfp.mends import for_tfx, mend, on_vertex
from pipelines.runners.kfp.places import Places
from pipelines.runners.kfp.run_names import RunNames, run_names

STATISTICS = {"instanceSchema": "title: tfx.ExampleStatistics\ntype: object\n"}
HTML = {"schemaTitle": "system.HTML", "schemaVersion": "0.0.1"}
MINIO = "minio://mlpipeline/v2/artifacts/monitoring"
RUN = "5a27fd3a-4651-423b-849b-1d4d01285a57"
SALT = "9a901497-1141-4ea8-af41-fb171b7fb75e"
SPEC = json.dumps(
    {
        "artifacts": {"statistics": {"artifactType": STATISTICS}, "baseline": {"artifactType": STATISTICS}},
        "parameters": {"span": {"parameterType": "NUMBER_INTEGER"}, "rate": {"parameterType": "NUMBER_DOUBLE"}},
    }
)


@dataclass(frozen=True)
class Spoken:
    """How one runner says the same: where its outputs are, how it types an input, what it adds, and how it names."""

    place: str
    input_type: dict[str, Any]
    names: tuple[str, str]
    logs: tuple[str, ...] = ()
    typed: bool = False


DIALECTS = {
    "KFP 2.0.5": Spoken(f"{MINIO}/{RUN}/Validator", {"instanceSchema": ""}, ("3", "4")),
    "KFP 2.5": Spoken(f"{MINIO}/{RUN}/Validator/{SALT}", {"instanceSchema": ""}, ("3", "4"), ("executor-logs",)),
    "KFP 2.14": Spoken(f"{MINIO}/{RUN}/Validator/{SALT}", {"instanceSchema": ""}, ("3", "4"), ("executor-logs",)),
    "KFP 2.17": Spoken(f"{MINIO}/{RUN}/Validator/{SALT}", {"instanceSchema": ""}, ("3", "4"), ("executor-logs-0",)),
    "no type at all": Spoken(f"{MINIO}/{RUN}/Validator/{SALT}", {}, ("", ""), ("executor-logs", "executor-logs-1")),
    "kfp.local": Spoken(
        "/root/monitoring-2026-11-27-05-10-08-703688/ator",
        {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}, ("statistics", "statistics"),
    ),
    "Vertex AI": Spoken(
        "gs://bucket/root/1234567/monitoring-20261127051008/Validator_-77", STATISTICS,
        ("projects/1/locations/l/metadataStores/default/artifacts/3", "projects/1/artifacts/4"), typed=True,
    ),
}  # fmt: skip


def message(spoken: Spoken) -> str:
    """ExecutorInput of a step with two inputs of the same kind, as one runner says it."""
    inputs = {
        key: {"artifacts": [{"name": name, "uri": f"{MINIO}/{key}", "type": spoken.input_type,
                             "metadata": {"span": 7.0, "split_names": '["serving"]', "of": f"{MINIO}/{key}/7", "away": "s3://b/7"}}]}
        for key, name in zip(("statistics", "baseline"), spoken.names, strict=True)
    }  # fmt: skip
    report = {"name": "report", "uri": f"{spoken.place}/report", "type": HTML}
    logs = {"name": "log", "uri": f"{spoken.place}/log", "type": {"schemaTitle": "system.Artifact"}}
    outputs = {"report": {"artifacts": [report]}, **{key: {"artifacts": [logs]} for key in spoken.logs}}
    given: dict[str, Any] = {"artifacts": inputs}
    if spoken.typed:
        given["parameters"] = {"span": {"intValue": "7"}, "rate": {"doubleValue": 0.01}, "split": {"stringValue": "s"}}
    else:
        given["parameterValues"] = {"span": 7.0, "rate": 0.01, "split": "s", "left_out": None}
    return json.dumps({"inputs": given, "outputs": {"artifacts": outputs, "outputFile": "/tmp/out.json"}})  # noqa: S108


@pytest.fixture(params=DIALECTS)
def spoken(request: pytest.FixtureRequest) -> Spoken:
    return DIALECTS[request.param]


def test_every_dialect_says_the_same_once_it_is_mended(spoken: Spoken):
    declared = Declared() if spoken.typed else read_declared(SPEC)
    given = mend(read_input(message(spoken)), declared)
    assert plain_parameters(given, declared) == {"span": 7, "rate": 0.01, "split": "s"}
    assert type(plain_parameters(given, declared)["span"]) is int
    assert {key: each[0].title for key, each in given.inputs.items()} == dict.fromkeys(
        ("statistics", "baseline"), "tfx.ExampleStatistics"
    )
    assert set(given.outputs) == {"report"}


def test_the_pipeline_and_the_run_are_those_of_the_outputs_place(spoken: Spoken):
    run = RUN if RUN in spoken.place else spoken.place.split("/")[-2]
    given = read_input(message(spoken))
    assert run_names(given) == run_names(given, "monitoring") == RunNames("monitoring", run)


def test_a_run_is_known_by_the_pipeline_it_is_of_whatever_it_is_called():
    given = read_input(message(Spoken("s3://b/root/monitoring/nightly/Validator", {}, ("1", "2"))))
    assert run_names(given) == RunNames()
    assert run_names(given, "monitoring") == RunNames("monitoring", "nightly")


def test_no_two_artifacts_have_one_name_for_tfx_which_knows_them_by_it(spoken: Spoken):
    given = for_tfx(mend(read_input(message(spoken)), read_declared(SPEC)), Places())
    artifacts = list(given.artifacts())
    assert len({each.name for each in artifacts}) == len(artifacts)
    assert all(each.name for each in artifacts)


def test_what_tfx_is_given_names_copies_and_what_everybody_is_told_names_the_store(tmp_path: Path):
    said = json.loads(message(DIALECTS["KFP 2.17"]))
    said["outputs"]["outputFile"] = str(tmp_path / "new" / "output.json")
    given, places = mend(read_input(json.dumps(said)), read_declared(SPEC)), Places("/pod")
    told = for_tfx(given, places).to_json()
    statistics = told["inputs"]["artifacts"]["statistics"]["artifacts"][0]
    assert statistics["uri"] == "/pod/minio/mlpipeline/v2/artifacts/monitoring/statistics"
    assert statistics["metadata"]["of"] == "/pod/minio/mlpipeline/v2/artifacts/monitoring/statistics/7"
    assert statistics["metadata"]["away"] == "s3://b/7", "which is none of the step's artifacts"
    assert told["outputs"]["artifacts"]["report"]["artifacts"][0]["type"] == {"schemaTitle": "components.HtmlReport"}
    made = {"uri": told["outputs"]["artifacts"]["report"]["artifacts"][0]["uri"],
            "metadata": {"model": statistics["metadata"]["of"], "p_value": 0.1}}  # fmt: skip
    Path(said["outputs"]["outputFile"]).parent.mkdir()
    write_output({"report": [made]}, {}, given, places)
    written = json.loads(Path(said["outputs"]["outputFile"]).read_text())["artifacts"]["report"]["artifacts"]
    assert written == [
        {
            "name": "report",
            "uri": f"{DIALECTS['KFP 2.17'].place}/report",
            "metadata": {"model": f"{MINIO}/statistics/7", "p_value": 0.1},
        }
    ]


def test_only_vertex_gives_out_what_is_in_its_store_already():
    assert [name for name, each in DIALECTS.items() if on_vertex(read_input(message(each)))] == ["Vertex AI"]


def test_a_page_alone_is_shown_and_is_a_folder_to_whoever_takes_it(tmp_path: Path):
    said = json.loads(message(DIALECTS["KFP 2.17"]))
    report = said["outputs"]["artifacts"]["report"]["artifacts"][0]
    report["uri"] = "s3://bucket/run/task/report"
    said["outputs"]["outputFile"] = str(tmp_path / "output.json")
    folder = tmp_path / "s3" / "bucket" / "run" / "task" / "report"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<html>")

    def told() -> str:
        given = mend(read_input(json.dumps(said)), Declared())
        write_output({"report": [{"uri": str(folder)}]}, {}, given, Places(str(tmp_path)))
        written = json.loads((tmp_path / "output.json").read_text())
        return written["artifacts"]["report"]["artifacts"][0]["uri"]

    shown = told()
    assert shown == "s3://bucket/run/task/report/report.html"
    taken = json.loads(message(DIALECTS["KFP 2.17"]))
    taken["inputs"]["artifacts"]["statistics"]["artifacts"][0]["uri"] = shown
    assert mend(read_input(json.dumps(taken)), Declared()).inputs["statistics"][0].uri == report["uri"]
    (folder / "more.css").touch()
    assert told() == report["uri"], "what else is there would be left behind"


def test_folders_that_an_object_store_has_lost_are_there_again(tmp_path: Path):
    model = tmp_path / "model" / "Format-Serving"
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"model")
    for marker in (model / "assets", model / "variables", tmp_path / "statistics"):
        marker.touch()
    (model / "empty.txt").touch()
    for name in ("model", "statistics", "gone"):
        lost_folders.restore(str(tmp_path / name), ["eval"] if name == "statistics" else [])
    found = {str(path.relative_to(tmp_path)): path.is_dir() for path in tmp_path.rglob("*")}
    files = {f"model/Format-Serving/{name}" for name in ("saved_model.pb", "empty.txt")}
    assert {name for name, is_folder in found.items() if not is_folder} == files
    assert found["statistics/Split-eval"]
    assert found["gone"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "`--json_serialized_invocation_args` must be JSON"),
        ("{", "`--json_serialized_invocation_args` must be JSON"),
        ("[]", "`json_serialized_invocation_args` must be a JSON object. Received: []"),
        ('{"inputs": [7]}', "`inputs` must be a JSON object"),
        ('{"inputs": {}}', "`outputs.outputFile` must be the path of a file. Received: None"),
        ('{"outputs": {"outputFile": 7}}', "`outputs.outputFile` must be the path of a file. Received: 7"),
        ('{"outputs": {"outputFile": "f", "artifacts": 3}}', "`outputs.artifacts` must be a JSON object"),
        ('{"outputs": {"outputFile": "f", "artifacts": {"m": []}}}', "`outputs.artifacts.m` must be a JSON object"),
        ('{"outputs": {"outputFile": "f", "artifacts": {"m": {"artifacts": 1}}}}', "must hold a list of artifacts"),
        ('{"outputs": {"outputFile": "f", "artifacts": {"m": {"artifacts": [{}]}}}}', "`outputs.artifacts.m.uri`"),
        ('{"outputs": {"outputFile": "f"}, "inputs": {"parameterValues": 3}}', "`inputs.parameterValues` must be"),
        ('{"inputs": {"parameterValues": {"x": NaN}}}', "must have finite numbers"),
    ],
)
def test_what_is_no_executor_input_is_said_in_one_sentence(text: str, says: str):
    with pytest.raises(MonitorError) as error:
        read_input(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        ("7", "NUMBER_INTEGER", "`parameter span` must be a number, NUMBER_INTEGER. Received: '7'"),
        (7.5, "NUMBER_INTEGER", "`parameter span` must be a whole number, NUMBER_INTEGER. Received: 7.5"),
        (7.0, "STRING", "`parameter span` must be text, STRING. Received: 7.0"),
        ([7], "", "`parameter span` must be text or a number. Received: [7]"),
    ],
)
def test_a_parameter_of_the_wrong_type_is_said(value: Any, kind: str, says: str):
    said = {"inputs": {"parameterValues": {"span": value}}, "outputs": {"outputFile": "f"}}
    with pytest.raises(MonitorError) as error:
        plain_parameters(read_input(json.dumps(said)), Declared(parameters={"span": kind}))
    assert str(error.value) == says
