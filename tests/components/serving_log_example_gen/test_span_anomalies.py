"""What is an error, what a warning, what no data; without TensorFlow."""

import json
from collections import Counter

import pytest

from components.common.class_scores import ScoreCounts
from components.common.label_numbering import Agreement
from components.serving_log_example_gen import tally as names
from components.serving_log_example_gen.input_checks import Values
from components.serving_log_example_gen.problems import Problem
from components.serving_log_example_gen.span_anomalies import ERROR, NO_DATA, WARNING, judge
from components.serving_log_example_gen.tally import Tally, merged
from tests.support.specs import model_spec

SPEC = model_spec()


def make_tally(**counts: int) -> Tally:
    """A span of 100 good one-image records with the counts given changed."""
    whole = {
        "records": 100,
        "records_with_rows": 100,
        "images": 100,
        "rows": 100,
        "bytes": 10_000,
        "files": 100,
        **counts,
    }
    return Tally(counts=Counter(whole))


def with_problem(problem: Problem, count: int) -> Tally:
    tally = make_tally()
    tally.add_problem(problem, b"id/0", "found", count)
    return tally


def test_nothing_wrong() -> None:
    assert judge(make_tally(), SPEC, 0.01) == []


@pytest.mark.parametrize("problem", [problem for problem in Problem])  # noqa: C416 - pytest needs a list
def test_share_decides_between_error_and_warning(problem: Problem) -> None:
    few, many = (judge(with_problem(problem, count), SPEC, 0.01)[-1].severity for count in (1, 2))
    errors = (Problem.UNREADABLE_FILE, Problem.NOT_TFRECORDS, Problem.NOT_READ, Problem.TOO_MANY_ROWS)
    fixed = {Problem.TORN_RECORD: WARNING, Problem.DUPLICATE_ID: WARNING, **dict.fromkeys(errors, ERROR)}
    assert (few, many) == ((fixed[problem],) * 2 if problem in fixed else (WARNING, ERROR))


def test_text_says_how_many_of_how_many_and_names_an_example() -> None:
    (anomaly,) = judge(with_problem(Problem.SCALED_TO_1, 5), SPEC, 0.01)
    assert (anomaly.feature, anomaly.short) == ("image", "Pixels scaled to 0..1")
    assert anomaly.description.startswith("Pixels scaled to 0..1: 5 of 100 images (5 %), such as id/0: found")


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"records_broken": 1}, []),
        ({"records_broken": 2}, ["Too many broken records"]),
        ({"records_broken": 2, "records_torn": 2}, []),
        ({"records_broken": 1, "bytes_broken": 101}, ["Too many broken records"]),
        ({"rows": 0, "records_broken": 1}, ["Nothing readable in the span"]),
        ({"rows": 0, "records_broken": 1, "records_torn": 1}, ["Nothing readable in the span"]),
        ({"rows": 0, "images_broken": 1}, ["Nothing readable in the span"]),
        ({"rows": 0, "records": 0}, ["No data in the span"]),
        ({"rows": 0, "records_excluded": 100}, ["No data in the span"]),
    ],
)
def test_the_span_as_a_whole(counts: dict[str, int], expected: list[str]) -> None:
    found = judge(make_tally(**counts), SPEC, 0.01)
    assert [anomaly.short for anomaly in found] == expected
    assert all(anomaly.severity == ERROR and anomaly.feature == "" for anomaly in found)
    assert all((anomaly.type == NO_DATA) == (anomaly.short == "No data in the span") for anomaly in found)


@pytest.mark.parametrize(
    ("mean", "spread", "number", "swapped"),
    [
        (-12.0, 40.0, 1000, True),
        (12.0, 40.0, 1000, False),
        (-1.0, 40.0, 1000, True),
        (-60.0, 40.0, 1000, False),  # too blue to be the same images with channels exchanged
        (-12.0, 40.0, 30, False),  # chance could do that
        (-12.0, 0.0, 29, False),
    ],
)
def test_swapped_channels(mean: float, spread: float, number: int, swapped: bool) -> None:
    tally = make_tally()
    tally.red_less_blue = (number, mean * number, (mean * mean + spread * spread) * number)
    found = judge(tally, model_spec(image={"channel_means": [125.0, 123.0, 113.0]}), 0.01)
    assert [anomaly.short for anomaly in found] == (["Red and blue look swapped (BGR)"] if swapped else [])
    assert judge(tally, SPEC, 0.01) == []


def test_tallies_add_up_in_any_order() -> None:
    parts = []
    for number, identity in enumerate((b"c", b"a", b"b")):
        part = make_tally()
        part.add_problem(Problem.DUPLICATE_ID, identity, f"found {number}", number + 1)
        part.add_rows(names.SUBSAMPLED, "7", number)
        part.outputs[3, 0] += 1
        part.red_less_blue = (1, 2.0, 4.0)
        part.values = Values(2, -float(number), 1.0)
        part.scores = ScoreCounts(rows=2, outside=number)
        parts.append(part)
    forward, backward = merged(parts), merged(reversed(parts))
    assert forward == backward
    record = json.loads(forward.to_json())
    assert record["problems"]["duplicate_id"] == {"count": 6, "share": 0.02, "example_id": "a", "found": "found 1"}
    assert record["by_model_version"] == {"7": {"subsampled": 3}}
    assert record["response_sizes"] == [{"classes": 3, "embedding": 0, "records": 3}]
    assert (record["records"], forward.red_less_blue) == (300, (3, 6.0, 12.0))
    assert (forward.values, forward.scores) == (Values(6, -2.0, 1.0), ScoreCounts(rows=6, outside=3))


def test_a_lost_record_or_image_is_noticed() -> None:
    assert not make_tally(records=101).balances()
    assert not make_tally(images=101).balances()


def test_class_ids_that_are_counted_from_1_are_named_with_what_to_say() -> None:
    tally = with_problem(Problem.OTHER_CLASS, 94)
    tally.numbering = Agreement(labelled=100, one_less=100, lowest=1, highest=10)
    (anomaly,) = judge(tally, SPEC, 0.01)
    assert (anomaly.short, anomaly.severity) == ("Class ids are not the largest scores'", ERROR)
    said = "the scores agree with 100 of 100 class ids if they are counted from 1, and with 0 as they are"
    assert anomaly.description.endswith(f"{said}: say `outputs.class_id_from: 1`")


def test_scores_that_are_sorted_are_an_error() -> None:
    tally = make_tally()
    tally.scores = ScoreCounts(rows=200, distributions=200, falling=200)
    (anomaly,) = judge(tally, SPEC, 0.01)
    assert (anomaly.short, anomaly.severity) == ("Scores are sorted", ERROR)
    assert "in all of 200 rows the scores fall from the first to the last, as if sorted" in anomaly.description


@pytest.mark.parametrize(("excluded", "warned"), [(50, False), (51, True)])
def test_requests_that_another_version_answered_are_said_where_they_are_most(excluded: int, warned: bool) -> None:
    tally = make_tally(records_with_rows=100 - excluded, rows=100 - excluded, records_excluded=excluded)
    tally.versions = {"7": Counter(rows=100 - excluded), "8": Counter(records_excluded=excluded)}
    found = judge(tally, SPEC, 0.01)
    assert [each.severity for each in found] == [WARNING] * warned
    if warned:
        told = "Mostly other model versions: 51 of 100 records are of version 8 and left out"
        assert found[0].description == told
