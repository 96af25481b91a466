"""TFMA's files, read without TFMA: what TFMA itself writes comes out, and damage is an error."""

import json
import subprocess
import sys

import pytest

from components.common.artifacts import evaluation
from components.common.artifacts.files import local_files
from components.common.artifacts.tfma_messages import message_class, read_messages
from components.common.artifacts.tfrecord import frame
from components.common.errors import MonitorError

FILES = local_files()


def metrics_of(label=None, **values):
    """The metrics of a slice; of `name__model` a model's, of `name__diff` a difference, of `name__3` a class's."""
    message = message_class("MetricsForSlice")()
    if label is not None:
        message.slice_key.single_slice_keys.add(column="label", **{
            "int64_value" if isinstance(label, int) else "bytes_value": label
        })  # fmt: skip
    for name, value in values.items():
        metric, _, of = name.partition("__")
        found = message.metric_keys_and_values.add()
        found.key.name = metric
        found.value.double_value.value = value
        if of.isdecimal():
            found.key.sub_key.class_id.value = int(of)
        elif of:
            found.key.model_name, found.key.is_diff = of.removesuffix("_diff"), of.endswith("_diff")
    return message


def write(folder, prefix, *messages, name="-00000-of-00001.tfrecord"):
    (folder / f"{prefix}{name}").write_bytes(b"".join(frame(each.SerializeToString()) for each in messages))
    return str(folder)


def test_metrics_are_by_slice_and_model_the_whole_first(tmp_path):
    nan = float("nan")
    folder = write(tmp_path, "metrics", metrics_of(3, accuracy=0.5, example_count=10), metrics_of(
        accuracy__candidate=0.9, accuracy__baseline=0.8, accuracy__candidate_diff=0.1, loss__candidate=nan,
    ), metrics_of(b"front", accuracy=0.7))  # fmt: skip
    found = evaluation.metrics(folder, FILES)
    assert [(each.slice, each.of, each.metrics) for each in found] == [
        ("", "baseline", {"accuracy": 0.8}),
        ("", "candidate", {"accuracy": 0.9}),
        ("", "candidate difference", {"accuracy": 0.1}),
        ("label 3", "", {"accuracy": 0.5, "example_count": 10}),
        ("label front", "", {"accuracy": 0.7}),
    ]
    assert [each.label for each in found] == [None, None, None, 3, None]
    assert found[3].key == (("label", 3),)


def test_the_accuracy_has_its_interval_where_its_examples_are_counted(tmp_path):
    folder = write(tmp_path, "metrics", metrics_of(sparse_categorical_accuracy=0.9, example_count=50),
                   metrics_of(1, accuracy=0.9), metrics_of(2, loss=0.3, example_count=9))  # fmt: skip
    whole, uncounted, none = evaluation.metrics(folder, FILES)
    assert (round(whole.accuracy.low, 4), whole.accuracy.value, round(whole.accuracy.high, 4)) == (0.7864, 0.9, 0.9565)
    assert (whole.accuracy.total, whole.accuracy_name) == (50, "sparse_categorical_accuracy")
    assert (uncounted.accuracy, uncounted.accuracy_name) == (None, "accuracy")
    assert (none.accuracy, none.accuracy_name) == (None, "")


def test_metrics_of_a_class_are_told_apart_from_those_of_the_whole(tmp_path):
    folder = write(tmp_path, "metrics", metrics_of(recall__3=0.5, recall=0.6))
    (found,) = evaluation.metrics(folder, FILES)
    assert found.metrics == {"recall (class 3)": 0.5, "recall": 0.6}
    assert found.partial == {"recall (class 3)"}


def test_several_files_are_one_evaluation_and_some_of_them_may_be_empty(tmp_path):
    write(tmp_path, "metrics", metrics_of(accuracy=0.5), name="-00000-of-00002.tfrecord")
    folder = write(tmp_path, "metrics", name="-00001-of-00002.tfrecord")
    assert len(evaluation.metrics(folder, FILES)) == 1


def test_no_metrics_are_an_error(tmp_path):
    with pytest.raises(MonitorError, match=r"must hold TFMA's metrics\. Received: no file metrics\*"):
        evaluation.metrics(str(tmp_path), FILES)
    write(tmp_path, "metrics")
    with pytest.raises(MonitorError, match=r"metrics-00000-of-00001\.tfrecord must hold TFMA's metrics.*no record"):
        evaluation.metrics(str(tmp_path), FILES)


@pytest.mark.parametrize("record", [b"\xff" * 9, b"\x0a\x7f", b"plain text"])
def test_a_record_that_is_something_else_is_an_error(tmp_path, record):
    (tmp_path / "metrics").write_bytes(frame(record))
    with pytest.raises(MonitorError, match=r"a record of .*metrics must hold a message MetricsForSlice"):
        evaluation.metrics(str(tmp_path), FILES)


def plots_of(*entries, label=None):
    message = message_class("PlotsForSlice")()
    if label is not None:
        message.slice_key.single_slice_keys.add(column="label", int64_value=label)
    matrix = message.plot_keys_and_values.add().value.multi_class_confusion_matrix_at_thresholds.matrices.add()
    for actual, predicted, count in entries:
        matrix.entries.add(actual_class_id=actual, predicted_class_id=predicted, num_weighted_examples=count)
    return message


def test_the_confusion_matrix_is_of_the_whole(tmp_path):
    assert evaluation.confusion_matrix(str(tmp_path), FILES) == ()
    folder = write(tmp_path, "plots")
    assert evaluation.confusion_matrix(folder, FILES) == ()
    write(tmp_path, "plots", plots_of((0, 1, 9), label=0), plots_of((0, 0, 3), (0, 1, 2), (1, 1, 4), (1, -1, 5)))
    assert evaluation.confusion_matrix(folder, FILES) == ((3, 2), (0, 4))


def test_a_confusion_matrix_that_cannot_be_shown_is_an_error(tmp_path):
    folder = write(tmp_path, "plots", plots_of((0, 50, 1)))
    with pytest.raises(MonitorError, match=r"at most 50 classes to be shown\. Received: 51"):
        evaluation.confusion_matrix(folder, FILES)


BOTH = [{"name": "new"}, {"name": "old", "isBaseline": True}]


@pytest.mark.parametrize(
    ("specs", "locations", "candidate", "compared"),
    [
        ([{}], {"": "/m/7/Format-Serving"}, "/m/7/Format-Serving", False),
        (BOTH, {"old": "/m/6/Format-Serving", "new": "/m/7/"}, "/m/7/", True),
        (BOTH, {"old": "/m/7/Format-Serving"}, "", True),
        ([], {}, "", False),
    ],
)
def test_which_models_were_evaluated_is_in_tfma_s_configuration(tmp_path, specs, locations, candidate, compared):
    content = {"evalConfig": {"modelSpecs": specs}, "modelLocations": locations}
    (tmp_path / "eval_config.json").write_text(json.dumps(content))
    models = evaluation.evaluated_models(str(tmp_path), FILES)
    assert (models.candidate, models.has_baseline) == (candidate, compared)
    assert models.is_of("/m/7") is bool(candidate)
    assert not any(models.is_of(uri) for uri in ("", "/m/6", "/m/77", "/m/7/Format-Serving/variables"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        '{"evalConfig": {"modelSpecs": [1]}}',
        '{"evalConfig": {}, "modelLocations": {"": 7}}',
        '{"evalConfig": {"modelSpecs": [{"name": "a"}, {"name": "b"}]}}',
    ],
    ids=lambda text: text[:20],
)
def test_a_configuration_that_says_nothing_is_an_error(tmp_path, text):
    (tmp_path / "eval_config.json").write_text(text)
    with pytest.raises(MonitorError, match=r"eval_config\.json must be"):
        evaluation.evaluated_models(str(tmp_path), FILES)


def test_messages_are_the_same_as_tfma_s_own_and_leave_it_free_to_register_them(tmp_path):
    write(tmp_path, "validations", message_class("ValidationResult")(validation_ok=True))
    code = f"""
import sys
from components.common.artifacts.files import local_files
from components.common.artifacts.tfma_messages import read_messages
(found,) = read_messages({str(tmp_path)!r}, "validations", "ValidationResult", local_files())
assert not [name for name in sys.modules if name.startswith(("tensorflow_model_analysis", "tensorflow."))]
import importlib.util, pathlib, types
package = "tensorflow_model_analysis"
folder = pathlib.Path(importlib.util.find_spec(package).submodule_search_locations[0]) / "proto"
for name in (package, f"{{package}}.proto"):
    sys.modules[name] = types.ModuleType(name)
for name in ("config", "metrics_for_slice", "validation_result"):  # in the order in which they import each other
    spec = importlib.util.spec_from_file_location(f"{{package}}.proto.{{name}}_pb2", folder / f"{{name}}_pb2.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    setattr(sys.modules[f"{{package}}.proto"], f"{{name}}_pb2", module)
assert module.ValidationResult.FromString(found.SerializeToString()).validation_ok
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_that_are_not_there_are_none_and_not_nothing(tmp_path):
    assert read_messages(str(tmp_path), "validations", "ValidationResult", FILES) is None
