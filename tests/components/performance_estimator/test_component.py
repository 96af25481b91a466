"""What can be known when the pipeline is built is said then."""

import pytest
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import channel, standard_artifacts

from components.common.errors import MonitorError
from components.performance_estimator.component import PerformanceEstimator
from tests.support.specs import model_spec

STATISTICS = channel.Channel(type=standard_artifacts.ExampleStatistics)
SPEC = model_spec(classes=["cat", "dog"])
EXAMPLES = channel.Channel(type=standard_artifacts.Examples)


def build(**arguments):
    return PerformanceEstimator(STATISTICS, STATISTICS, **{"spec": SPEC, **arguments})


def test_defaults():
    made = build()
    assert made.outputs["anomalies"].type is standard_artifacts.ExampleAnomalies
    assert set(made.inputs) == {"statistics", "baseline_statistics"}
    assert made.exec_properties == {
        "labels_file": "",
        "labels_fingerprint": "",
        "split": "serving",
        "baseline_split": "eval",
        "estimator": "atc_with_transport",
        "max_accuracy_drop": 0.05,
        "spec": SPEC.to_json(),
        "seed": 0,
    }


def test_examples_are_an_input_only_where_there_are_labels():
    assert set(build(examples=EXAMPLES).inputs) == {"statistics", "baseline_statistics"}
    for labels_file in ("labels.csv", RuntimeParameter("labels_file", str)):
        made = build(examples=EXAMPLES, labels_file=labels_file)
        assert set(made.inputs) == {"statistics", "baseline_statistics", "examples"}


def test_labels_that_were_added_make_another_execution(tmp_path):
    path = tmp_path / "labels.csv"
    prints = []
    for content in ("id,label\n", "id,label\na,1\n", "id,label\n"):
        path.write_text(content)
        prints.append(build(examples=EXAMPLES, labels_file=str(path)).exec_properties["labels_fingerprint"])
    assert prints[0] == prints[2] != prints[1]
    missing = build(examples=EXAMPLES, labels_file=str(tmp_path / "later.csv"))
    assert missing.exec_properties["labels_fingerprint"] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimator": "act_confidence"}, "did you mean 'atc_confidence'"),
        ({"max_accuracy_drop": 5}, r"`max_accuracy_drop` must be in \[0, 1\). Received: 5"),
        ({"max_accuracy_drop": -0.1}, r"`max_accuracy_drop` must be in \[0, 1\)"),
        ({"seed": -1}, "`seed` must be a whole number"),
        ({"split": ""}, "`split` must be a split's name"),
        ({"baseline_split": ""}, "`baseline_split` must be a split's name"),
        ({"labels_file": "labels.csv"}, "`examples` must be given where there is a `labels_file`"),
        ({"labels_file": "labels.json", "examples": EXAMPLES}, r"`labels_file` must be named \*.csv"),
        ({"spec": ["cat", "dog"]}, r"`spec` must be a ModelSpec. Received: \['cat', 'dog'\]"),
    ],
)
def test_what_is_wrong_is_refused(arguments, message):
    with pytest.raises(MonitorError, match=message):
        build(**arguments)
