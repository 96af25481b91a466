"""Which spans are on a timeline, what is known of each, and where the pushes go."""

import itertools

import pytest

from components.common.proportion import Proportion
from components.common.verdict import Outcome
from model_monitor.reading import timeline
from model_monitor.reading.timeline import Point, Push, Timeline
from model_monitor.reading.verdicts import CheckOf, RunVerdict, State
from model_monitor.ui import drawing


@pytest.fixture(scope="module")
def line(told):
    (found,) = timeline.timelines(told.history())
    return found


def test_a_timeline_is_of_one_pipeline_and_one_folder_of_logs(line, told):
    assert (line.pipeline, line.logs, line.total) == ("cifar10-monitoring", str(told.root / "logs"), 18)
    assert [point.span for point in line.points] == list(range(1, 19))


def test_a_span_has_its_verdict_its_checks_and_its_accuracies(line):
    soft = line.points[6]
    assert soft.verdict.state is State.DEGRADED
    assert soft.verdict.p_value < soft.allowed == 0.01
    assert {kind: check.state for kind, check in soft.checks.items()}[CheckOf.DATA] is State.CHANGED
    assert soft.checks[CheckOf.LOGS].state is State.FINE
    assert soft.baseline.value == pytest.approx(0.724)
    assert soft.least == pytest.approx(0.674)
    assert soft.estimated.low < soft.estimated.value < soft.estimated.high
    assert soft.real.low < soft.real.value < soft.real.high


def test_what_the_clients_got_wrong_is_told_apart_from_the_data(line):
    scaled = line.points[11]
    assert scaled.checks[CheckOf.LOGS].check.reason == "Pixels scaled to 0..1 in 100 % of the images"


def test_labels_that_have_not_come_leave_the_real_accuracy_open(line):
    assert line.points[-1].real is None
    assert line.points[-1].estimated is not None


def test_a_span_that_nothing_can_be_said_of_is_undecided_and_has_no_p_value(line):
    few = line.points[2]
    assert (few.verdict.state, few.verdict.p_value, few.estimated) == (State.UNDECIDED, None, None)


def test_pushes_come_where_they_happened_and_a_blocked_one_is_none(line):
    assert [push.after for push in line.pushes] == [0, 8, 14]
    assert [line.points[number].version for number in (0, 8, 14)] == [push.version for push in line.pushes]


def test_only_the_newest_spans_are_read_when_so_asked(told):
    (short,) = timeline.timelines(told.history(), 5)
    assert [point.span for point in short.points] == [14, 15, 16, 17, 18]
    assert short.total == 18
    assert [push.after for push in short.pushes] == [1]  # what was pushed before is not at the left edge


def test_of_several_runs_on_a_span_the_last_counts(fresh):
    fresh.story.span("again", 2, bundle=str(next((fresh.story.root / "serving").iterdir())))
    (found,) = timeline.timelines(fresh.history())
    assert [point.span for point in found.points] == [1, 2, 3, 4]
    assert found.points[1].run.run_id == "again"
    assert found.points[1].verdict.state is State.FINE


def test_a_store_without_spans_has_no_timeline(stored):
    assert timeline.timelines(stored.history("penguin")) == []


def test_a_damaged_record_is_a_problem_and_the_noted_accuracy_stays(fresh):
    for record in fresh.story.root.glob("artifacts/PerformanceEstimator/**/performance.json"):
        record.write_text("{")
    (found,) = timeline.timelines(fresh.history())
    assert found.points[0].estimated == Proportion(0.9)
    assert found.points[0].problem.startswith("Of the accuracy on span 1: ")
    assert found.points[0].baseline is None


def made_up(p_values, **more):
    verdicts = [RunVerdict(Outcome.PASSED, "", "", State.FINE, span=n, p_value=p) for n, p in enumerate(p_values, 1)]
    points = [Point(None, says.span, says.span, says, {}, 0.01, **more) for says in verdicts]
    return Timeline("p", "", tuple(points), (), len(points))


def test_p_values_go_down_by_powers_of_ten_and_zero_stays_on_the_page():
    drawn = drawing.draw(made_up([1.0, 0.1, 0.01, 0.0]))
    panel = drawn.panels[0]
    assert panel.title == "p-value: below 0.01 is an alarm"
    assert [tick.label for tick in panel.ticks] == ["1", "0.1", "0.01", "0.001"]
    first, second, third, last = (mark.y for mark in panel.marks)
    assert second - first == pytest.approx(third - second)
    assert first == panel.top
    assert last == panel.bottom
    assert panel.lines["limit"][0].y1 == pytest.approx(third)


def test_a_span_without_a_p_value_breaks_the_line():
    panel = drawing.draw(made_up([0.5, None, 0.5, 0.5])).panels[0]
    assert len(panel.marks) == 3
    assert [round(each.x1, 1) for each in panel.lines["path"]] == [62.5]


def test_panels_without_anything_to_show_are_left_out():
    titles = [panel.title for panel in drawing.draw(made_up([None, None])).panels]
    assert titles == ["What each check says"]


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([0.72, 0.74], (0.72, 0.74)),
        ([0.0, 1.0], (0, 1)),
        ([1.0], (0.98, 1)),
        ([0.0], (0, 0.02)),
        ([0.31, 0.8], (0.3, 0.8)),
    ],
)
def test_the_axis_of_accuracies_ends_at_round_numbers_around_all(values, ends):
    low, high, step = drawing.scale(values)
    assert (low, high) == ends
    assert (high - low) / step <= 8
    assert 0 <= low <= min(values) <= max(values) <= high <= 1


@pytest.mark.parametrize("count", [1, 2, 60, 1000])
def test_every_mark_is_on_the_drawing_and_labels_do_not_touch(count):
    line = made_up([0.5] * count, estimated=Proportion(0.7, 0.6, 0.8), baseline=Proportion(0.75), least=0.7)
    drawn = drawing.draw(line)
    assert len(drawn.columns) == count
    assert drawn.columns[-1].label == str(count)
    for panel in drawn.panels:
        assert all(0 < mark.x < 100 and panel.top <= mark.y <= panel.bottom for mark in panel.marks)
    shown = [number for number, column in enumerate(drawn.columns) if column.label]
    width = max(drawn.least, 300) / count
    assert all((b - a) * width > 8 * len(str(count)) for a, b in itertools.pairwise(shown))


@pytest.mark.parametrize("after", [0, 1, 2])
def test_pushes_at_one_place_stand_beside_each_other_inside_the_drawing(after):
    points = made_up([0.5, 0.5]).points
    pushes = tuple(Push(None, f"170000000{number}", after) for number in range(5))
    flags = drawing.draw(Timeline("p", "", points, pushes, 2)).flags
    places = [flag.x for flag in flags]
    assert places == sorted(set(places))
    assert all(0 <= place <= 100 for place in places)
    labelled = [flag for flag in flags if flag.labelled]
    assert len({flag.y for flag in labelled}) == len(labelled) == 3
