"""What TFMA's validation has against a model, in words."""

import math

import pytest
from google.protobuf import text_format

from components.common.artifacts.files import local_files
from components.common.artifacts.tfma_messages import message_class
from components.common.artifacts.tfrecord import frame
from components.common.artifacts.validation import read_validation, validation_findings
from components.common.errors import MonitorError


def result_of(text: str):
    return text_format.Parse(text, message_class("ValidationResult")())


FAILURE = """
validation_ok: false
metric_validations_per_slice {
  slice_key { %s }
  failures { metric_key { name: "m" %s } metric_threshold { %s } %s }
}
"""
LABEL = 'single_slice_keys { column: "label" int64_value: 3 }'
VALUE = "metric_value { double_value { value: %s } }"
LOWER = "value_threshold { lower_bound { value: 0.35 } }"
UPPER = "value_threshold { upper_bound { value: 0.1 } }"
RELATIVE = "change_threshold { relative { value: 0.1 } absolute { value: 0.02 } direction: LOWER_IS_BETTER }"
BOTH_KEYS = LABEL + 'single_slice_keys { column: "camera" bytes_value: "front" }'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FAILURE % (LABEL, "", LOWER, VALUE % 0.31), "m of label 3 is 0.31, below 0.35"),
        (FAILURE % ("", "", UPPER, VALUE % 0.2), "m is 0.2, above 0.1"),
        (FAILURE % ("", "", LOWER, VALUE % 0.3499999), "m is 0.3499999, below 0.35"),
        (FAILURE % (BOTH_KEYS, "", LOWER, VALUE % 0), "m of label 3 and camera front is 0, below 0.35"),
        (FAILURE % ("", "sub_key { class_id { value: 2 } }", LOWER, VALUE % 0), "m (class 2) is 0, below 0.35"),
        (FAILURE % ("", "", LOWER, ""), "m was not computed, though a threshold is set (at least 0.35)"),
        (FAILURE % ("", "", LOWER, VALUE % "nan"), "m is nan, but must be at least 0.35"),
        (
            FAILURE % ("", "is_diff: true", RELATIVE, VALUE % 0.3),
            "m changed by +0.3 against the baseline, "
            "but the change must be at most +0.02 and at most +0.1 times its value",
        ),
        ("validation_ok: false missing_thresholds: true", "the evaluation checked no threshold at all"),
        ("validation_ok: true", "the evaluation checked no threshold at all"),
        (
            'validation_ok: false missing_slices { feature_values { key: "label" value: "9" } }',
            "no example of label 9, for which a threshold is set",
        ),
        (
            'validation_ok: false missing_slices { feature_keys: "label" }',
            "no example of each label, for which a threshold is set",
        ),
        ("validation_ok: false validation_details { }", "TFMA says that the model is not valid, and not why"),
    ],
)
def test_validation_results_in_words(text, message):
    (finding,) = validation_findings(result_of(text))
    assert finding.message == message
    assert finding.measured is None or math.isfinite(finding.measured)


def test_cross_slices_are_named():
    text = """validation_ok: false metric_validations_per_slice {
      cross_slice_key { baseline_slice_key { single_slice_keys { column: "label" int64_value: 1 } }
                        comparison_slice_key { single_slice_keys { column: "label" int64_value: 2 } } }
      failures { metric_key { name: "m" } metric_threshold { value_threshold { upper_bound { value: 0.1 } } }
                 metric_value { double_value { value: 0.4 } } } }"""
    (finding,) = validation_findings(result_of(text))
    assert finding.message == "m of label 1 against label 2 is 0.4, above 0.1"


def test_an_evaluation_without_a_validation_result_is_an_error(tmp_path):
    with pytest.raises(MonitorError, match=r"must hold one validation result of TFMA\. Received: none"):
        read_validation(str(tmp_path), local_files())


@pytest.mark.parametrize(("number", "says"), [(0, "validations.tfrecord .* no record"), (2, "one .* Received: 2")])
def test_there_is_one_validation_result(tmp_path, number, says):
    record = frame(message_class("ValidationResult")(validation_ok=True).SerializeToString())
    (tmp_path / "validations.tfrecord").write_bytes(record * number)
    with pytest.raises(MonitorError, match=says):
        read_validation(str(tmp_path), local_files())
