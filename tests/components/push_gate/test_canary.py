import math
import re

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from components.common.class_scores import are_probabilities
from components.common.errors import MonitorError
from components.common.verdict import Effect, Finding, Outcome
from components.push_gate import canary
from components.push_gate.policy import CanaryPolicy
from components.served_model.tensors import TensorInfo

POLICY = CanaryPolicy(num_classes=3)
IMAGE = TensorInfo((None, 4, 4, 3), "uint8")


def answer(**changes):
    """Of two images; class ids are, where they are not given, those of the largest probabilities."""
    scores = np.asarray(changes.get("probabilities", np.full((2, 3), 1 / 3, np.float32)))
    numbers = scores.real.astype(np.float64) if scores.shape == (2, 3) and scores.dtype.kind in "biufcV" else scores
    known = numbers.dtype == np.float64 and numbers.shape == (2, 3)
    return {"class_id": numbers.argmax(axis=1) if known else np.array([0, 2]), "probabilities": scores, **changes}


def messages(outputs, policy=POLICY):
    return [finding.message for finding in canary.check(outputs, 2, policy)]


def test_batches_fill_the_signature_with_both_ends_and_random_values():
    made = list(canary.batches({"image": IMAGE}, CanaryPolicy(num_classes=3, batch_sizes=[1, 7])))
    assert [size for _, size, _ in made] == [1, 1, 1, 7, 7, 7]
    arrays = [batch["image"] for _, _, batch in made]
    assert all(array.dtype == np.uint8 and array.shape[1:] == (4, 4, 3) for array in arrays)
    assert [(array.min(), array.max()) for array in arrays[:2]] == [(0, 0), (255, 255)]
    assert len(np.unique(arrays[5])) > 100


def test_batches_are_the_same_each_time():
    first, second = ([b["image"] for _, _, b in canary.batches({"image": IMAGE}, POLICY)] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("float32", -1.5, 1.5), ("float16", -1.5, 1.5), ("int8", -2, 2), ("uint8", 0, 2)]
)
def test_the_range_is_kept_as_far_as_the_dtype_can(dtype, low, high):
    policy = CanaryPolicy(num_classes=3, input_range=[-1.5, 1.5])
    for _, _, batch in canary.batches({"x": TensorInfo((None, 50), dtype)}, policy):
        assert batch["x"].dtype == np.dtype(dtype)
        assert low <= batch["x"].min()
        assert batch["x"].max() <= high


@pytest.mark.parametrize(
    "spec",
    [
        TensorInfo((None, 2), "bool"),
        TensorInfo((None, 2), "bfloat16"),
        TensorInfo((None, None, None, 3), "uint8"),
        TensorInfo(None, "uint8"),
        TensorInfo((), "float32"),
    ],
)
def test_inputs_that_cannot_be_made_up_are_said(spec):
    with pytest.raises(MonitorError, match=r"input 'x' is .* `examples` and `spec` to PushGate.* canary\.signature"):
        list(canary.batches({"x": spec}, POLICY))


def test_a_proper_answer_has_no_findings():
    assert messages(answer()) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"probabilities": np.array([[1, 0, 0], [np.nan, 0, 0]])}, "17% values that are not finite"),
        ({"embedding": np.array([[np.inf], [0.0]])}, "output embedding has 50% values that are not finite"),
        ({"probabilities": np.array([[0.5, 0.5, 0.5], [1, 0, 0]])}, "sum to 1 within 0.01, but a row is 0.5 off"),
        ({"probabilities": np.array([[1.5, -0.5, 0], [1, 0, 0]])}, "in [0, 1], but some are 0.5 outside"),
        ({"probabilities": np.ones((2, 1))}, "must have the shape [batch, 3]. Received: [2, 1]"),
        ({"probabilities": np.full((1, 3), 1 / 3)}, "has shape [1, 3] for 2 examples"),
        ({"score": np.array(0.5)}, "output score has shape [] for 2 examples"),
        ({"class_id": np.array([0, 3])}, "must lie in [0, 3), but one is 3"),
        ({"class_id": np.array([-1, 0])}, "must lie in [0, 3), but one is -1"),
        ({"class_id": np.array([0.0, 1.0])}, "must be integers of shape [2], not float64"),
    ],
)
def test_each_defect_is_named(changes, expected):
    found = messages(answer(**changes))
    assert any(expected in message for message in found), found


@pytest.mark.parametrize("output", ["probabilities", "class_id"])
def test_an_output_that_is_not_there_is_a_finding_unless_the_policy_has_none(output):
    outputs = {key: value for key, value in answer().items() if key != output}
    assert f"output {output} is not among the outputs" in messages(outputs)[0]
    assert messages(outputs, POLICY.model_copy(update={output: None})) == []


def test_strings_are_left_alone():
    assert messages(answer(class_name=np.array([b"cat", b"dog"], dtype=object))) == []


def test_no_batch_is_no_verdict():
    assert canary.judge([], 0, POLICY).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1, -1e-6, 0], [1, 0, 0], [0, 1, 0]], "in [0, 1], but some are 1e-06 outside"),
        ([[3.0, -2, 0], [4, -3, 0], [2, -1, 0]], "but some are 3 outside; these look like logits (3 of 3 rows"),
        ([["a", "b", "c"]] * 3, "output probabilities does not fit: scores must be real numbers. Received: strings"),
    ],
)
def test_scores_are_held_against_the_rule_that_everything_goes_by(values, expected):
    outputs = {"probabilities": np.array(values), "class_id": np.argmax(values, axis=1)}
    found = [finding.message for finding in canary.check(outputs, 3, POLICY)]
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    ("kind", "classes", "values"),
    [("logits", 3, [[5, -2, 0], [-np.inf, 0, 1]]), ("sigmoid", 2, [0.2, 0.9]), ("sigmoid", 2, [[0.2], [0.9]])],
)
def test_logits_and_a_sigmoid_become_probabilities_first(kind, classes, values):
    policy = CanaryPolicy(num_classes=classes, kind=kind, class_id=None, probabilities="y")
    assert [f for f in canary.check({"y": np.array(values)}, 2, policy) if f.what != "finite"] == []


KINDS = [ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn, np.float16, np.float32, np.float64]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: np.dtype(kind).name)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_of_any_type_that_are_not_finite_are_found(kind, value):
    """float8_e4m3fn has no infinity: it says NaN."""
    scores = np.array([[0.5, 0.25, 0.25], [1, 0, 0]]).astype(kind)
    scores[0, 0] = value
    found = messages(answer(probabilities=scores, embedding=np.array([[0.0], [value]]).astype(kind)))
    assert found == [
        "output embedding has 50% values that are not finite",
        "output probabilities has 17% values that are not finite",
    ]


@pytest.mark.parametrize("kind", [ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, np.float16, np.float64])
def test_distributions_of_any_type_pass_and_others_do_not(kind):
    halves = np.array([[0.5, 0.25, 0.25], [1, 0, 0]]).astype(kind)
    assert messages(answer(probabilities=halves)) == []
    assert "sum to 1 within 0.01" in messages(answer(probabilities=np.full((2, 3), 0.5).astype(kind)))[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.full((2, 3), 1 / 3 + 1j), "output probabilities does not fit: scores must be real .* Received: complex128"),
        (np.full((2, 3), "0.3"), "scores must be real numbers. Received: strings"),
        (np.full((2, 3), b"0.3", object), "scores must be real numbers. Received: strings"),
        (np.zeros((2, 3), [("qint8", "i1")]), "scores must be real numbers. Received: void8"),
    ],
)
def test_what_is_no_real_number_is_no_score(values, expected):
    assert any(re.search(expected, message) for message in messages(answer(probabilities=values)))


def test_another_output_that_is_no_real_number_is_said():
    found = messages(answer(spectrum=np.ones((2, 4), np.complex64)))
    assert found == ["output spectrum cannot be judged: they must be real numbers. Received: complex64"]


def test_what_float32_cannot_hold_is_outside_and_not_overlooked():
    """1e39 is finite as float64, in which the model answers, and infinite as float32, in which probabilities are."""
    finding, _ = canary.check(answer(probabilities=np.array([[1e39, 0, 0], [1, 0, 0]])), 2, POLICY)
    assert "must lie in [0, 1], but some are inf outside" in finding.message
    assert finding.measured is None


@settings(max_examples=300)
@given(
    arrays(
        np.float32,
        (2, 3),
        elements=st.floats(-1 / 1024, 1 + 1 / 64, width=32) | st.sampled_from([0.0, 1.0, 0.25, 0.5, -0.0, math.nan]),
    )
)
def test_no_row_that_is_no_distribution_goes_without_a_finding(scores):
    policy = POLICY.model_copy(update={"class_id": None})
    assert (messages({"probabilities": scores}, policy) == []) == bool(are_probabilities(scores).all())


def test_class_ids_beyond_what_int64_holds_are_out_of_range():
    assert (
        "must lie in [0, 3), but one is 18446744073709551615"
        in messages(answer(class_id=np.array([0, 2**64 - 1], np.uint64)))[0]
    )


def test_an_answer_without_an_output_is_a_finding_whatever_the_policy_asks():
    policy = POLICY.model_copy(update={"probabilities": None, "class_id": None})
    assert messages({}, policy) == ["the answer holds no output at all"]


def test_a_finding_that_repeats_is_said_once_with_the_number_of_batches():
    finding = Finding("sum", "y", Effect.FAIL, "output y is off")
    other = Finding("range", "y", Effect.FAIL, "output y is outside")
    found = [("batch of 1", finding), ("batch of 7", finding), ("batch of 7", other), ("batch of 9", finding)]
    assert [each.message for each in canary.once(found)] == [
        "output y is off (batch of 1, and 2 other batches)",
        "output y is outside (batch of 7)",
    ]
    assert canary.once([("a", finding), ("b", finding)])[0].message == "output y is off (a, and 1 other batch)"


def test_a_string_input_says_what_to_pass():
    with pytest.raises(
        MonitorError, match=r"input 'x' is string \[\?\], and strings .* `examples` and `spec` to PushGate"
    ):
        list(canary.batches({"x": TensorInfo((None,), "string")}, POLICY))


def test_probabilities_where_the_spec_says_logits_are_found_though_a_softmax_makes_them_distributions():
    policy = POLICY.model_copy(update={"kind": "logits"})
    (finding,) = canary.check(answer(), 2, policy)
    assert finding.message == (
        "output probabilities is of another kind than the model's spec says; "
        "these are probabilities already (2 of 2 rows add up to 1); say `kind: probabilities`"
    )


@pytest.mark.parametrize(
    ("first", "ids", "expected"),
    [
        (0, [0, 2], []),
        (1, [1, 3], []),
        (0, [1, 2], ["output class_id must be the class of the largest of probabilities, 0, but is 1"]),
        (1, [2, 3], ["output class_id must be the class of the largest of probabilities, 1, but is 2"]),
        (1, [0, 3], ["output class_id must lie in [1, 4), but one is 0"]),
        (0, [1, 3], ["output class_id must lie in [0, 3), but one is 3"]),
    ],
)
def test_class_ids_are_those_of_the_largest_probabilities_counted_as_the_spec_says(first, ids, expected):
    policy = POLICY.model_copy(update={"class_id_from": first})
    scores = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], np.float32)
    assert messages(answer(class_id=np.array(ids), probabilities=scores), policy) == expected
