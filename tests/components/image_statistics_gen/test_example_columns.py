import math

import numpy as np
import pyarrow as pa
import pytest

from components.common.errors import MonitorError
from components.image_statistics_gen.example_columns import (
    bytes_lists,
    class_numbers,
    names,
    number_of_values,
    number_rows,
    score_rows,
)
from tests.support.specs import model_spec

NAN = math.nan
SPEC = model_spec(classes=4)


def batch(values, kind=None):
    array = pa.array(values, kind) if kind is not None else pa.array(values)
    return pa.RecordBatch.from_arrays([array], ["x"])


FLOATS = pa.list_(pa.float32())
EMPTY = [batch([None, None], pa.null()), batch([[], None], pa.large_list(pa.null())), batch([None, []], FLOATS)]


@pytest.mark.parametrize("kind", [FLOATS, pa.large_list(pa.float32()), pa.list_(pa.float64())])
def test_rows_of_numbers(kind):
    found = number_rows(batch([[0.5, 0.5], None, [], [1], [0.25, 0.75]], kind), "x", 2)
    expected = [[0.5, 0.5], [NAN, NAN], [NAN, NAN], [NAN, NAN], [0.25, 0.75]]
    np.testing.assert_array_equal(found, np.array(expected, np.float32))


def test_a_slice_of_a_batch_is_read_from_its_own_start():
    whole = batch([[1, 2], None, [3, 4], [5, 6], [7]], FLOATS)
    found = number_rows(whole.slice(2, 2), "x", 2)
    assert found.tolist() == [[3, 4], [5, 6]]
    assert class_numbers(batch([[1], [2], [3]]).slice(1), "x", SPEC)[0].tolist() == [2, 3]


@pytest.mark.parametrize("bytes_of", [pa.binary(), pa.large_binary()])
@pytest.mark.parametrize("list_of", [pa.list_, pa.large_list])
def test_images_of_any_rows_of_a_batch(bytes_of, list_of):
    lists = [[b"\xffa"], [b"\x80", b""], None, [], [b"xyz"]]
    whole = batch(lists, list_of(bytes_of))
    for begin in range(len(lists)):
        for count in range(len(lists) - begin + 1):
            assert bytes_lists(whole.slice(begin, count), "x") == lists[begin : begin + count]
    assert bytes_lists(batch(lists[:1] * 3, list_of(bytes_of)), "x") == lists[:1] * 3


def test_whole_numbers_are_numbers_and_a_null_among_them_is_nan():
    assert number_rows(batch([[0, 1]]), "x", 2).tolist() == [[0, 1]]
    np.testing.assert_array_equal(number_rows(batch([[None, 1.0]], FLOATS), "x", 2), [[NAN, 1]])


@pytest.mark.parametrize(("found", "key"), [*((found, "x") for found in EMPTY), (batch([[1], [2]]), "y")])
def test_a_column_that_is_missing_or_empty(found, key):
    assert np.isnan(number_rows(found, key, 3)).all()
    labels, unknown = class_numbers(found, key, SPEC)
    assert (labels.tolist(), unknown.total) == ([-1, -1], 0)
    assert np.isnan(score_rows(found, model_spec(classes=4, scores=key)).probabilities).all()
    assert names(found, key) == [b"", b""]
    assert number_of_values(found, key) == 0


def test_class_numbers():
    labels, unknown = class_numbers(batch([[3], None, [], [1, 2], [-7], [0], [4], [4]]), "x", SPEC)
    assert labels.tolist() == [3, -1, -1, -1, -1, 0, -1, -1]
    assert unknown.words == "3 that mean no class, such as -7"


def test_class_names():
    spec = model_spec(classes=["cat", "dog", "Žába", "3"])
    values = [[b"dog"], ["Žába".encode()], [b"3"], [b"0"], [b"bird"], [b"\xff"], None, [b"cat", b"dog"]]
    labels, unknown = class_numbers(batch(values), "x", spec)
    assert labels.tolist() == [1, 2, 3, 0, -1, -1, -1, -1]
    assert unknown.total == 2


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("sigmoid", [[0.25], [1.0], None, [0.5, 0.5]], [[0.75, 0.25], [0, 1], [NAN, NAN], [NAN, NAN]]),
        ("logits", [[0.0], [0.0, 0.0], [math.log(3), 0]], [[0.5, 0.5], [0.5, 0.5], [0.75, 0.25]]),
        ("probabilities", [[0.25, 0.75], [1.0]], [[0.25, 0.75], [NAN, NAN]]),
    ],
)
def test_scores_of_two_classes_become_probabilities(kind, values, expected):
    found = score_rows(batch(values, FLOATS), model_spec(classes=2, kind=kind, scores="x"))
    np.testing.assert_allclose(found.probabilities, np.array(expected, np.float32), rtol=1e-6)


def test_rows_with_another_number_of_scores_are_counted_with_what_was_found():
    found = score_rows(batch([[0.5, 0.5], None, [], [0.25] * 3, [0.25] * 4], FLOATS), model_spec(classes=4, scores="x"))
    assert found.reasons.words == "2 without 4 scores, such as one of 2; 2 without scores"
    assert found.counts.rows == 1


def test_names():
    assert names(batch([[b"a"], None, [], [b"b", b"c"]]), "x") == [b"a", b"", b"", b""]
    assert names(batch([[12], [-3]]), "x") == [b"12", b"-3"]


@pytest.mark.parametrize("list_of", [pa.list_, pa.large_list])
@pytest.mark.parametrize(
    ("kind", "values", "expected_names", "expected_classes"),
    [
        (pa.binary(), [b"3", b"", b"\xff", b"2"], [b"3", b"", b"\xff", b"2"], [3, -1, -1, 2]),
        (pa.large_binary(), [b"0", b"dog"], [b"0", b"dog"], [0, -1]),
        (pa.int64(), [3, -1, 2**53 + 1], [b"3", b"-1", b"9007199254740993"], [3, -1, -1]),
        (pa.float32(), [1.0, 0.5, NAN], [b"1.0", b"0.5", b"nan"], [1, -1, -1]),
    ],
)
def test_columns_of_one_value_a_row_are_read_as_any_others(list_of, kind, values, expected_names, expected_classes):
    single = [[value] for value in values]
    for rows, length in ((single, len(single)), ([*single, None], len(single)), ([*single, [None]], len(single))):
        found = batch(rows, list_of(kind))
        for begin in range(length):
            some = found.slice(begin, length - begin)
            assert names(some, "x") == expected_names[begin:]
            assert class_numbers(some, "x", SPEC)[0].tolist() == expected_classes[begin:]


def test_number_of_values_is_what_most_have():
    assert number_of_values(batch([[1], [1, 2], None, [3, 4], [], []]), "x") == 2
    assert number_of_values(batch([[1], [1, 2]]), "x") == 1
    assert number_of_values(batch([[b"a"]]), "x") == 1


@pytest.mark.parametrize(
    ("read", "values", "message"),
    [
        (lambda found: number_rows(found, "x", 1), [[b"a"]], "feature 'x' must hold numbers. Received: list"),
        (lambda found: score_rows(found, model_spec(scores="x")), [[b"a"]], "feature 'x' must hold numbers. Rec"),
    ],
)
def test_columns_of_another_type_are_refused(read, values, message):
    with pytest.raises(MonitorError, match=message):
        read(batch(values))
