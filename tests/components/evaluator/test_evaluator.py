"""A baseline that is none is not shown to TFX's Evaluator, and one that is there is."""

import pytest
from tfx.components import ImportExampleGen
from tfx.components.evaluator import executor as evaluator_executor
from tfx.types import standard_artifacts

from components import BaselineImporter, Evaluator
from components.evaluator.executor import Executor


def baseline(**properties) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    for key, value in properties.items():
        artifact.set_int_custom_property(key, value)
    return artifact


@pytest.mark.parametrize(
    ("given", "shown"),
    [({}, False), ({"baseline_model": [baseline(is_none=1)]}, False), ({"baseline_model": [baseline()]}, True)],
)
def test_tfx_sees_a_baseline_only_where_there_is_one(given, shown, monkeypatch):
    seen = []
    monkeypatch.setattr(evaluator_executor.Executor, "Do", lambda _self, inputs, *_: seen.append(inputs))
    Executor().Do({"model": [standard_artifacts.Model()], **given}, {}, {})
    assert [sorted(inputs) for inputs in seen] == [["baseline_model", "model"] if shown else ["model"]]


def test_nothing_of_an_earlier_run_or_of_a_killed_worker_stays_in_the_evaluation(tmp_path, monkeypatch):
    evaluation = standard_artifacts.ModelEvaluation()
    evaluation.uri = str(tmp_path)
    (tmp_path / "metrics-00007-of-00008.tfrecord").write_bytes(b"of an earlier run")

    def write(*_):
        (tmp_path / "metrics-00000-of-00001.tfrecord").write_bytes(b"of this one")
        (tmp_path / "beam-temp-metrics-0123").mkdir()

    monkeypatch.setattr(evaluator_executor.Executor, "Do", write)
    Executor().Do({}, {"evaluation": [evaluation]}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["metrics-00000-of-00001.tfrecord"]


def test_the_node_has_the_name_of_tfx_s(tmp_path):
    model = BaselineImporter("none", needed=False).outputs["model"]
    node = Evaluator(examples=ImportExampleGen(str(tmp_path)).outputs["examples"], model=model, baseline_model=model)
    assert node.id == "Evaluator"
