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


def test_the_node_has_the_name_of_tfx_s(tmp_path):
    model = BaselineImporter("none", needed=False).outputs["model"]
    node = Evaluator(examples=ImportExampleGen(str(tmp_path)).outputs["examples"], model=model, baseline_model=model)
    assert node.id == "Evaluator"
