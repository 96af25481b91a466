"""Which windows become the reference, what its size does to the promise, and that it is published whole or not."""

import os
from pathlib import Path

import pytest

from components.common import baseline_bundle
from components.common.baseline_bundle import BUNDLE
from components.common.errors import MonitorError
from components.common.two_sample.false_alarms import p_value_threshold
from model_monitor.acting import rebaseline, rollback
from model_monitor.acting.rebaseline import Candidate, Made
from model_monitor.acting.recorded import Act, Came, What
from model_monitor.reading.history import History
from model_monitor.showing.acts import words
from tests.model_monitor.incidents.windows import window
from tests.support.example_runs import Story
from tests.support.pushed_version import write_version


@pytest.fixture
def serving(tmp_path):
    folder = tmp_path / "serving"
    for number in (3, 5):
        version = Path(write_version(folder, number))
        (version / "saved_model.pb").write_bytes(b"model %d" % number)
    return folder


@pytest.fixture
def served(serving):
    return baseline_bundle.newest(str(serving))


@pytest.fixture
def made(tmp_path):
    """What a run made of windows: statistics of the baseline's split, and a schema."""
    (tmp_path / "made" / "Split-eval").mkdir(parents=True)
    (tmp_path / "made" / "Split-eval" / "FeatureStats.pb").write_bytes(b"windows")
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "schema.pbtxt").write_text("# calibrated anew")
    return Made(9, str(tmp_path / "made"), str(tmp_path / "schema"), "/runs/examples/9")


def judged(served, words: str, **known) -> dict[int, Candidate]:
    """Windows 1, 2, ... by the first letters of their verdicts, in capitals where they came late."""
    records = [window(n, word.lower(), late=word.isupper(), **known) for n, word in enumerate(words, start=1)]
    return {record.window: Candidate(record, served.version_dir, f"/e/{record.window}") for record in records}


def folders(serving) -> list[str]:
    return sorted(name for name in os.listdir(serving) if not name.startswith("."))


def reference(chosen, made):
    return rebaseline.reference_from(chosen, made)


@pytest.mark.parametrize("text", ["", "a", "5-3", "1-", "1--2", "-3", "1-1000000", "1-999,2000-2999", "1.5"])
def test_what_names_no_windows_is_refused(text):
    with pytest.raises(MonitorError, match=r"`--windows` must be numbers of windows, such as 20-40"):
        rebaseline.numbers(text)


def test_windows_are_named_as_people_write_them():
    assert rebaseline.numbers("7, 3-5,4") == [3, 4, 5, 7]
    assert rebaseline.in_words([7, 3, 4, 5]) == "3-5,7"


def test_fine_windows_of_the_served_version_are_chosen(served):
    chosen = rebaseline.choose(judged(served, "cfff"), [2, 3, 4], served)
    assert [each.examples for each in chosen] == ["/e/2", "/e/3", "/e/4"]


def test_all_windows_that_cannot_be_the_reference_are_named_in_one_sentence(served):
    known = judged(served, "fdcFfufff")
    known[7] = Candidate(known[7].record, "/serving/3", "/e/7")
    known[8] = Candidate(known[8].record, served.version_dir, "")
    with pytest.raises(MonitorError) as raised:
        rebaseline.choose(known, list(range(1, 12)), served)
    assert str(raised.value) == (
        "Only windows that were fine and are of the served version can be the reference: 2 degraded; 3 changed; "
        "4 late; 6 undecided; 7 of version 3; 8 without their examples, which were removed; 10-11 not judged"
    )


def test_too_few_examples_are_refused(served):
    with pytest.raises(MonitorError, match=r"`--windows` must have 100 examples or more together\. Received: 98"):
        rebaseline.choose(judged(served, "ff", examples=49), [1, 2], served)
    assert rebaseline.choose(judged(served, "ff", examples=50), [1, 2], served)


def test_a_small_reference_keeps_the_promise_and_costs_power(served):
    small = rebaseline.promise(rebaseline.choose(judged(served, "f"), [1], served), 1000, 0.01)
    large = rebaseline.promise(rebaseline.choose(judged(served, "f" * 20), range(1, 21), served), 1000, 0.01)
    assert (small.reference, small.small, large.reference, large.small) == (1000, True, 10_000, False)
    assert small.threshold == p_value_threshold(0.005, 1000, 1000) < large.threshold < 0.005
    assert small.before == large.before == p_value_threshold(0.005, 1000, 3000)


def test_a_pushed_version_gets_the_reference_under_a_new_number(serving, served, made):
    before = (Path(served.version_dir) / BUNDLE / "manifest.json").read_bytes()
    known = reference(rebaseline.choose(judged(served, "ff"), [1, 2], served), made)
    folder = rebaseline.publish(serving, served, made, known)
    newest = baseline_bundle.newest(str(serving))
    assert newest.version_dir == folder
    assert (newest.manifest.copied_from, newest.manifest.reference) == (str(serving / "5"), known)
    assert (known.windows, known.examples, known.examples_uri) == ("1-2", 2000, "/runs/examples/9")
    assert newest.manifest.model_version == int(Path(folder).name) > 5
    assert (Path(folder) / "saved_model.pb").read_bytes() == b"model 5"
    assert newest.compared_part == "reference_statistics"
    assert (Path(newest.path("reference_statistics")) / "Split-eval" / "FeatureStats.pb").read_bytes() == b"windows"
    assert newest.splits() == ["eval"]  # what the accuracy is estimated from stays
    assert Path(newest.path(baseline_bundle.SCHEMA_FILE)).read_text() == "# calibrated anew"
    assert (Path(served.version_dir) / BUNDLE / "manifest.json").read_bytes() == before
    assert folders(serving) == sorted(["3", "5", Path(folder).name])


def test_an_adopted_model_gets_another_bundle_in_the_same_place(serving, served, made):
    known = reference(rebaseline.choose(judged(served, "ff"), [1, 2], served), made)
    assert rebaseline.publish(None, served, made, known) == served.version_dir
    found = baseline_bundle.read(served.version_dir)
    assert (found.manifest.reference, found.manifest.copied_from, found.manifest.model_version) == (known, None, 5)
    assert found.manifest.pushed_at > served.manifest.pushed_at  # so that nothing of the old one is taken from a cache
    assert folders(serving) == ["3", "5"]
    with pytest.raises(MonitorError, match="was given another bundle meanwhile: nothing was published"):
        rebaseline.publish(None, served, made, known)


def test_what_is_no_whole_bundle_is_not_published(serving, served, made, tmp_path):
    known = reference(rebaseline.choose(judged(served, "ff"), [1, 2], served), made)
    (tmp_path / "empty").mkdir()
    broken = Made(9, str(tmp_path / "empty"), made.schema, made.examples)
    for where in (serving, None):
        with pytest.raises(MonitorError, match=r"reference_statistics` must have a folder Split-\*"):
            rebaseline.publish(where, served, broken, known)
    assert baseline_bundle.newest(str(serving)).manifest == served.manifest
    write_version(serving, 6)
    with pytest.raises(MonitorError, match="6 was pushed meanwhile, and nobody has looked at it"):
        rebaseline.publish(serving, served, made, known)


def test_a_second_reference_takes_the_place_of_the_first(serving, served, made):
    known = reference(rebaseline.choose(judged(served, "ff"), [1, 2], served), made)
    rebaseline.publish(serving, served, made, known)
    (Path(made.statistics) / "Split-eval" / "FeatureStats.pb").write_bytes(b"other windows")
    rebaseline.publish(serving, baseline_bundle.newest(str(serving)), made, known)
    newest = baseline_bundle.newest(str(serving))
    assert (
        Path(newest.path("reference_statistics")) / "Split-eval" / "FeatureStats.pb"
    ).read_bytes() == b"other windows"
    assert newest.manifest.parts.count("reference_statistics") == 1


def test_going_back_from_the_next_push_goes_to_the_reference_too(serving, served, made):
    known = reference(rebaseline.choose(judged(served, "ff"), [1, 2], served), made)
    folder = rebaseline.publish(serving, served, made, known)
    assert rollback.choose(str(serving))[0].version_dir == str(serving / "3")  # the same model is no way back
    write_version(serving, int(Path(folder).name) + 1)
    assert rollback.choose(str(serving))[0].version_dir == folder


def test_windows_are_those_of_the_newest_run_or_of_the_logs_that_are_named(tmp_path, serving, served):
    story = Story(tmp_path / "runs")
    story.span("2026-11-25T09:28:01", 1, bundle=served.version_dir)
    story.span("2026-11-25T09:28:02", 2, changed=("image_noise",), bundle=str(serving / "3"))
    history = History(story.writer.store)
    known = rebaseline.candidates(history, "monitoring")
    assert {number: each.bundle for number, each in known.items()} == {1: served.version_dir, 2: str(serving / "3")}
    with pytest.raises(MonitorError, match=r"2 of version 3; 3 not judged"):
        rebaseline.choose(known, [1, 2, 3], served)
    with pytest.raises(
        MonitorError, match=r"`--logs` must be a folder of which windows of monitoring were judged: .*/a"
    ):
        rebaseline.candidates(history, "monitoring", "/a")


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ({"version": "/serving/9"}, "Windows 1-2 made the reference of version 5, which is version 9 now, by ann, "),
        ({"bundle": "/serving/5"}, "Windows 1-2 made the reference of version 5 by ann, "),
    ],
)
def test_the_act_is_told_in_one_sentence(details, said):
    known = {"windows": "1-2", "of": "/serving/5", **details}
    act = Act(What.REBASELINED, "m 1-2", Came.DONE, "a new camera", "ann", 1_800_000_000.0, details=known)
    assert words(act).startswith(said)
    assert words(act).endswith(": a new camera")
