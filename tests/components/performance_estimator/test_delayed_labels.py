"""Labels joined by id: every row and every example is counted once, whatever is wrong with it."""

import csv
import io
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.errors import MonitorError
from components.common.records.performance import Problem
from components.performance_estimator import delayed_labels, partitions
from components.performance_estimator.delayed_labels import LabelRow, LoggedExamples, join, read_csv
from tests.support.specs import model_spec

NAMES = model_spec(classes=["cat", "dog", "frog"])


def names_of(count):
    return model_spec(classes=count)


def rows(*pairs):
    return [LabelRow(f"line {number}", identity, label) for number, (identity, label) in enumerate(pairs, 2)]


def test_accuracy_overall_and_by_class():
    examples = LoggedExamples(["a", "b", "c", "d"], [0, 1, 1, 2])
    found = join(rows(("a", "0"), ("b", "0"), ("c", "1"), ("d", "2")), [examples], names_of(4))
    assert (found.overall.count, found.overall.total) == (3, 4)
    assert [share and (share.count, share.total) for share in found.by_class] == [(1, 2), (1, 1), (1, 1), None]
    assert found.overall.low < 0.75 < found.overall.high
    assert (found.rows, found.used, found.examples) == (4, 4, 4)
    assert {problem.count for problem in (*found.row_problems.values(), *found.example_problems.values())} == {0}


@pytest.mark.parametrize(
    ("given_rows", "problem", "count", "named"),
    [
        (rows(("a", "0"), ("a", "0"), ("a", "0")), "duplicate", 2, ("a",)),
        (rows(("a", "0"), ("a", "1"), ("a", "0")), "conflicting", 3, ("a",)),
        (rows(("x", "0"), ("y", "1"), ("x", "0")), "unknown_id", 3, ("x", "y")),
        (rows(("a", "3"), ("b", "-1")), "out_of_range", 2, ("a", "b")),
        (rows(("a", "cow"), ("b", "1.5"), ("c", "")), "not_a_class", 3, ("a", "b", "c")),
        (rows(("", "1")), "no_id", 1, ("line 2",)),
        ([LabelRow("line 7", None, None)], "malformed", 1, ("line 7",)),
    ],
)
def test_every_problem_of_a_row_is_counted_and_named(given_rows, problem, count, named):
    found = join(given_rows, [LoggedExamples(["a", "b", "c"], [0, 0, 0])], names_of(3))
    label = {"out_of_range": "'3'", "not_a_class": "'cow'"}.get(problem, "")
    assert found.row_problems[problem] == Problem(count, named, label)
    others = sum(each.count for kind, each in found.row_problems.items() if kind != problem)
    assert others == 0
    assert found.used == found.rows - count


def test_examples_without_a_use_for_a_label_are_counted_and_named():
    examples = LoggedExamples(["a", "b", "", "d"], [0, 0, 0, -1], file="part-0", first=10)
    found = join(rows(("b", "0"), ("b", "1"), ("d", "0")), [examples], names_of(2))
    assert found.overall is None
    assert {kind: each.named for kind, each in found.example_problems.items()} == {
        "unlabelled": ("a",),
        "conflicting_labels": ("b",),
        "without_id": ("record 12 of part-0",),
        "without_prediction": ("d",),
    }


def test_an_id_that_was_logged_twice_is_counted_and_both_examples_are_judged():
    found = join(rows(("a", "1")), [LoggedExamples(["a", "a"], [1, 0])], names_of(2))
    assert found.repeated_ids == Problem(1, ("a",))
    assert (found.overall.count, found.overall.total) == (1, 2)


@pytest.mark.parametrize("label", ["dog", "1", 1, "+1", "01", "1.0", 1.0, "Dog", "dog "])
def test_a_label_is_a_number_or_a_name(label):
    found = join(rows(("a", label)), [LoggedExamples(["a"], [1])], NAMES)
    assert (found.overall.count, found.overall.total) == (1, 1)


@pytest.mark.parametrize(("first", "right"), [(0, 0), (1, 100)])
def test_labels_that_are_counted_from_1_are_told_by_the_answers(first, right):
    examples = LoggedExamples([f"e{n}" for n in range(100)], [n % 3 for n in range(100)])
    spec = NAMES.model_copy(update={"labels_from": first})
    found = join(rows(*((f"e{n}", n % 3 + 1) for n in range(100) if first or n % 3 < 2)), [examples], spec)
    assert found.overall.count == right
    said = "the scores agree with 67 of 67 labels if they are counted from 1, and with 0 as they are"
    assert found.numbering == ("" if first else f"{said}: say `labels_from: 1`")


def test_a_name_comes_before_a_number():
    found = join(rows(("a", "1")), [LoggedExamples(["a"], [0])], model_spec(classes=["1", "0"]))
    assert found.overall.count == 1


def test_only_a_few_are_named():
    found = join(rows(*((f"x{n:03}", "0") for n in range(100))), [LoggedExamples([], [])], names_of(2))
    assert found.row_problems["unknown_id"] == Problem(100, ("x000", "x001", "x002", "x003", "x004"))


IDS = st.sampled_from(["", "a", "b", "c", "d", "e"])
LABELS = st.one_of(st.none(), st.integers(-2, 4), st.sampled_from(["0", "1", "2", "7", "dog", "", "one", "9" * 30]))


@given(
    st.lists(st.builds(LabelRow, st.just("line"), st.one_of(st.none(), IDS), LABELS)),
    st.lists(st.tuples(IDS, st.integers(-1, 2))),
)
def test_rows_and_examples_add_up(given_rows, logged):
    examples = LoggedExamples([identity for identity, _ in logged], [predicted for _, predicted in logged])
    found = join(given_rows, [examples], NAMES)
    judged = found.overall.total if found.overall else 0
    assert found.rows == len(given_rows) == found.used + sum(each.count for each in found.row_problems.values())
    assert found.examples == len(logged) == judged + sum(each.count for each in found.example_problems.values())
    assert judged == sum(share.total for share in found.by_class if share)


@given(
    st.lists(st.builds(LabelRow, st.just("line"), st.one_of(st.none(), IDS), LABELS)),
    st.lists(st.tuples(IDS, st.integers(-1, 2))),
    st.integers(0, 3),
)
def test_rows_and_examples_that_are_not_held_together_come_to_the_same(given_rows, logged, held):
    batches = [LoggedExamples([identity], [predicted]) for identity, predicted in logged]
    whole = join(given_rows, batches, NAMES)
    with patch.object(partitions, "MOST_HELD", held):
        assert join(given_rows, batches, NAMES) == whole


@pytest.mark.parametrize("held", [50, 500, 5_000])
def test_thousands_of_ids_with_all_that_can_be_wrong_with_them(held):
    draw = np.random.default_rng(5)
    ids = [f"e{number}" if number else "" for number in draw.integers(3_000, size=4_000)]
    examples = LoggedExamples(ids, draw.integers(-1, 3, 4_000).tolist(), 7)
    labels = draw.choice(["0", "1", "2", "3", "cow"], 5_000, p=[0.4, 0.3, 0.2, 0.05, 0.05]).tolist()
    given_rows = rows(
        *((f"e{number}", label) for number, label in zip(draw.integers(4_000, size=5_000), labels, strict=True))
    )
    whole = join(given_rows, [examples], NAMES)
    assert whole.overall.total > 500
    assert min(each.count for kind, each in whole.row_problems.items() if kind not in ("malformed", "no_id")) > 100
    with patch.object(partitions, "MOST_HELD", held):
        assert join(given_rows, [examples], NAMES) == whole


def test_an_id_with_more_rows_than_are_held():
    with patch.object(partitions, "MOST_HELD", 10):
        found = join(rows(*[("a", "1")] * 500, ("b", "0")), [LoggedExamples(["a"] * 300, [1] * 300)], NAMES)
    assert (found.overall.count, found.overall.total, found.used) == (300, 300, 1)
    assert found.row_problems["duplicate"] == Problem(499, ("a",))
    assert found.row_problems["unknown_id"] == Problem(1, ("b",))
    assert found.repeated_ids == Problem(1, ("a",))


@given(st.lists(st.tuples(IDS, st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")))))
def test_csv_gives_back_what_the_standard_library_wrote(pairs):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("id", "label"), *pairs])
    found = list(read_csv(io.BytesIO(text.getvalue().encode()), "labels.csv"))
    assert [(row.id, row.label) for row in found] == pairs


@pytest.mark.parametrize(
    "content",
    [
        b"id,label\r\na,1\r\n",
        b"\xef\xbb\xbfid,label\na,1\n",
        b'label,when,id\n1,"a, quoted\nfield",a',
        b'"id","label"\n\n"a","1"\n\n',
    ],
)
def test_csv_as_people_write_it(content):
    assert [(row.id, row.label) for row in read_csv(io.BytesIO(content), "labels.csv")] == [("a", "1")]


def test_a_row_of_another_length_is_a_row_all_the_same():
    found = list(read_csv(io.BytesIO(b"id,label\na\nb,1,2\nc,1\n"), "labels.csv"))
    assert found == [LabelRow("line 2", None, None), LabelRow("line 3", None, None), LabelRow("line 4", "c", "1")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begin with a header"),
        (b"a,1\n", "begin with a header"),
        (b"id,label,id\na,1,a\n", "begin with a header"),
        (b"id,label\n\xff,1\n", "CSV file in UTF-8"),
        (b'id,label\n"a"b,1\n', "CSV file in UTF-8"),
        (b'id,label\n"a,1\n', "CSV file in UTF-8"),
    ],
)
def test_what_is_no_csv_of_labels_is_refused(content, message):
    with pytest.raises(MonitorError, match=message):
        list(read_csv(io.BytesIO(content), "labels.csv"))


def test_where_a_file_is_no_utf_8_is_said():
    content = b"\xef\xbb\xbfid,label\n" + b"abc,1\n" * 10_000 + b"a\xff,1\n"
    with pytest.raises(MonitorError, match=f"byte 0xff at {content.index(0xFF, 3)}: invalid start byte"):
        list(read_csv(io.BytesIO(content), "labels.csv"))


def test_the_problems_have_one_list():
    found = join([], [LoggedExamples([], [])], names_of(2))
    assert tuple(found.row_problems) == delayed_labels.ROW_PROBLEMS
    assert tuple(found.example_problems) == delayed_labels.EXAMPLE_PROBLEMS
