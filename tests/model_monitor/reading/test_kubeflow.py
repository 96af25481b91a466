"""What Kubeflow Pipelines notes of a run is read as what TFX notes of the same run."""

import json

import pytest

from components.common.artifacts.files import local_files
from components.common.verdict import Outcome
from components.common.verdict_words import State
from model_monitor.reading import kubeflow
from model_monitor.reading.explanation import explain
from model_monitor.reading.history import History
from model_monitor.reading.run_store import Run
from model_monitor.reading.timeline import timelines
from tests.support.kubeflow.recorded_runs import Recorded, recorded
from tests.support.kubeflow.recorder import Recorder

WHOLE = ("sentence", "state", "outcome", "span", "p_value", "accuracy", "version", "checks")


@pytest.fixture(scope="module", params=["2.0.5", "2.17.0"])
def on_kubeflow(request, stored, tmp_path_factory) -> Recorded:
    """The runs of `stored`, as the oldest and the newest version of Kubeflow Pipelines 2 record them."""
    serving = stored.story.root / "serving"
    for version in serving.iterdir():
        (version / "saved_model.pb").write_bytes(b"a model")  # an object store has no empty folders
    return recorded(stored.metadata, serving, Recorder.in_memory(request.param), tmp_path_factory.mktemp("objects"))


@pytest.fixture
def history(on_kubeflow) -> History:
    return History(on_kubeflow.recorder.store, files=on_kubeflow.files)


def test_every_run_says_the_same(stored, history):
    here = stored.history()
    assert [(run.pipeline, run.run_id) for run in history.runs] == [(run.pipeline, run.run_id) for run in here.runs]
    for run, there in zip(here.runs, history.runs, strict=True):
        says, says_there = here.verdict(run), history.verdict(there)
        assert {name: getattr(says_there, name) for name in WHOLE} == {name: getattr(says, name) for name in WHOLE}
        assert [(node.name, node.state, node.parameters.get("span")) for node in there.nodes.values()] == [
            (node.name, node.state, node.parameters.get("span")) for node in run.nodes.values()
        ]


def test_every_why_is_the_same(stored, history):
    here = stored.history()
    for run, there in zip(here.runs, history.runs, strict=True):
        found, found_there = explain(here, run), explain(history, there)
        assert [finding.message for finding in found_there.findings] == [finding.message for finding in found.findings]
        assert [step.node.name for step in found_there.steps] == [step.node.name for step in found.steps]
        assert {step.node.run for step in found_there.steps} <= {each.id for each in history.runs}
        assert [source.span for source in found_there.sources] == [source.span for source in found.sources]
        assert [watched.run_id for watched in found_there.watched] == [watched.run_id for watched in found.watched]
        assert found_there.baseline_run is None or found_there.baseline.startswith("minio://mlpipeline/serving/")


def test_names_of_runs_are_found(stored, history, on_kubeflow):
    version = next((stored.story.root / "serving").iterdir()).name
    assert history.subject("span:2").run_id == "span-2"
    assert history.subject(f"minio://mlpipeline/serving/{version}/").run_id == history.subject(version).run_id
    model = next(run for run in history.runs if run.run_id == "penguin-2").node("Trainer").output("model")
    assert history.subject(model.uri).run_id == "penguin-2"
    assert history.artifact(str(model.id))[0].run_id == "penguin-2"


def test_a_push_is_gone_once_its_folder_in_the_store_is(history, on_kubeflow):
    run = history.run("penguin-1")
    folder = on_kubeflow.path(history.verdict(run).destination)
    away = folder.rename(folder.with_name("away"))
    try:
        again = History(history.store, files=on_kubeflow.files)
        assert "gone from the serving folder" in again.verdict(again.run("penguin-1")).sentence
    finally:
        away.rename(folder)


def test_the_timeline_has_the_spans_and_the_push(stored, history):
    (line,), (there,) = timelines(stored.history()), timelines(history)
    assert [(point.span, point.version, point.estimated) for point in there.points] == [
        (point.span, point.version, point.estimated) for point in line.points
    ]
    assert [push.version for push in there.pushes] == [push.version for push in line.pushes]


def test_what_is_noted_of_an_artifact_is_what_the_component_noted(history):
    found = history.run("span-1").node("ServingLogExampleGen").output("examples")
    assert found.type == "Examples"
    assert found.uri.startswith("minio://mlpipeline/v2/artifacts/monitoring/span-1/ServingLogExampleGen/")
    assert {name: found.properties[name] for name in ("span", "split_names")} == {
        "span": 1,
        "split_names": '["serving"]',
    }
    assert not {"display_name", "store_session_info"} & set(found.properties)
    assert isinstance(found.properties["span"], int)


def noted(recorder: Recorder) -> Run:
    (run,) = History(recorder.store, files=local_files()).runs
    return run


def test_parameters_and_properties_have_their_types_again():
    recorder = Recorder.in_memory()
    run = recorder.run("p", "r")
    given = {
        "span": 7,
        "rate": 0.01,
        "spec": '{"classes": []}',
        "on": True,
        "names": ["a"],
        "map": {"a": 1},
        "no": None,
    }
    task = run.container("Node", parameters=given)
    metadata = {"whole": 3, "part": 0.5, "large": 1e300, "list": [1, "a"], "map": {"a": [0.5]}, "text": "{}"}
    metadata |= {"span": 0, "custom:span": 7}
    task.complete({"out": [{"uri": "s3://b/k", "type": {"schemaTitle": "system.Model"}, "metadata": metadata}]})
    node = noted(recorder).node("Node")
    assert (node.parameters["span"], type(node.parameters["span"])) == (7, int)
    assert (node.parameters["rate"], node.parameters["on"], "no" in node.parameters) == (0.01, 1, False)
    assert json.loads(str(node.parameters["names"])) == ["a"]
    properties = node.output("out").properties
    assert (properties["whole"], properties["part"], properties["large"]) == (3, 0.5, 1e300)
    assert json.loads(str(properties["list"])) == [1.0, "a"]
    assert json.loads(str(properties["map"])) == {"a": [0.5]}
    assert (properties["text"], properties["span"], "custom:span" in properties) == ("{}", 7, False)
    assert node.output("out").type == "system.Model"


def test_what_a_condition_did_not_let_run_is_no_node_and_not_to_come():
    recorder = Recorder.in_memory()
    run = recorder.run("p", "r", parameters={"planned_nodes": '["A", "B", "C"]'})
    run.container("A").complete({})
    run.container("B", triggered=False)
    found = noted(recorder)
    assert list(found.nodes) == ["A"]
    assert found.unstarted == ["C"]


def test_a_run_that_has_not_come_to_its_end_has_no_verdict():
    recorder = Recorder.in_memory()
    run = recorder.run("p", "r", parameters={"planned_nodes": '["A", "B"]'})
    run.container("A").complete({})
    history = History(recorder.store)
    assert history.verdict(history.runs[0]).reason == "B is to come, or the run was stopped before it"


def test_nodes_of_loops_and_of_pipelines_within_have_names_of_their_own():
    recorder = Recorder.in_memory()
    run = recorder.run("p", "r")
    run.container("Train").complete({})
    loop = run.group("for-loop-1", tasks=1, iterations=2)
    for number in range(2):
        once = run.group("for-loop-1", tasks=1, dag=loop, iteration=number)
        run.container("Train", dag=once, iteration=number).complete({})
        run.container("Check", dag=once).complete({})
    assert list(noted(recorder).nodes) == [
        "Train",
        "Train[0]",
        "for-loop-1.for-loop-1[0].Check",
        "Train[1]",
        "for-loop-1.for-loop-1[1].Check",
    ]


@pytest.mark.parametrize("version", ["2.0.5", "2.5.0", "2.17.0"])
def test_the_state_of_the_root_says_nothing(version):
    """It stays RUNNING, and up to 2.14 it is COMPLETE once the first task has failed."""
    recorder = Recorder.in_memory(version)
    run = recorder.run("p", "r")
    run.container("A").fail()
    history = History(recorder.store)
    says = history.verdict(history.runs[0])
    assert (says.outcome, says.reason) == (Outcome.FAILED, "A failed")


def test_a_guard_that_ends_the_run_in_failure_leaves_the_verdict_as_it_is(stored, tmp_path):
    there = recorded(stored.metadata, stored.story.root / "serving", Recorder.in_memory(), tmp_path)
    history = History(there.recorder.store, files=there.files)
    before = history.verdict(history.run("span-3"))
    for run_id in ("span-1", "span-3"):
        there.recorder.run("monitoring", run_id).container("VerdictGuard").fail()
    history = History(there.recorder.store, files=there.files)
    assert history.verdict(history.run("span-3")) == before
    fine = history.verdict(history.run("span-1"))
    assert (fine.state, fine.reason) == (State.FAILED, "VerdictGuard failed")


@pytest.mark.parametrize(
    ("place", "root"),
    [
        ("minio://mlpipeline/v2/artifacts/p/r", "minio://mlpipeline/v2/artifacts"),
        ("gs://bucket/p/r?region=eu", "gs://bucket"),
        ("/p/r", ""),
        ("minio://mlpipeline/somewhere", ""),
    ],
)
def test_the_root_of_all_runs_is_what_comes_before_the_pipeline_and_the_run(place, root):
    recorder = Recorder.in_memory()
    context = recorder.run("p", "r").contexts[1]
    context.custom_properties["pipeline_root"].string_value = place
    assert kubeflow.root_of(context) == root


def test_a_run_of_kfp_local_is_read_from_its_folder_and_what_was_in_a_container_is_not_gone(tmp_path):
    recorder = Recorder.in_memory()
    run = recorder.run("p", "r")
    folder = tmp_path / "blessing"
    folder.mkdir()
    (folder / "BLESSED").touch()
    kinds = ({"schemaTitle": "tfx.ModelBlessing"}, {"schemaTitle": "tfx.PushedModel"})
    blessing = {"uri": str(folder), "type": kinds[0], "metadata": {"blessed": 1}}
    given = run.container("Evaluator").complete({"blessing": [blessing]})
    pushed = {"pushed": 1, "pushed_version": "7", "pushed_destination": "/serving/7"}
    model = {"uri": str(tmp_path), "type": kinds[1], "metadata": pushed}
    run.container("Pusher", inputs={"model_blessing": given["blessing"]}).complete({"pushed_model": [model]})
    history = History(recorder.store)
    says = history.verdict(history.runs[0])
    assert (says.state, says.reason) == (State.PUSHED, "every check let it pass")
