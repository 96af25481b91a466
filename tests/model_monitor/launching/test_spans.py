"""Which spans there are, which were looked at, and which one comes before; reading runs is tested end to end."""

from pathlib import Path

from model_monitor.launching import spans
from model_monitor.launching.spans import MonitoredSpan


def seen(span: int, bundle: str = "/serving/1", compared: bool = True, uri: str = "") -> MonitoredSpan:
    return MonitoredSpan(span, bundle, compared, uri or f"/statistics/{span}")


def test_spans_are_folders_named_by_a_number_in_numerical_order(tmp_path: Path):
    for name in ("10", "9", ".writing", "notes", "007"):
        (tmp_path / name).mkdir()
    (tmp_path / "3").touch()
    assert spans.available(tmp_path) == [7, 9, 10]


def test_unseen_spans_keep_their_order():
    assert spans.unseen([1, 2, 3, 4], [seen(2), seen(4)]) == [1, 3]


def test_nothing_is_monitored_before_the_first_run(tmp_path: Path):
    assert spans.monitored(tmp_path / "metadata.sqlite", "cifar10-monitoring", tmp_path) == []


def test_the_previous_span_is_the_latest_earlier_one_compared_with_the_same_version():
    history = [
        seen(1),
        seen(2),
        seen(3, compared=False),
        seen(4, bundle="/serving/2"),
        seen(9),
    ]
    assert spans.previous_statistics(history, 5, "/serving/1") == "/statistics/2"
    assert spans.previous_statistics(history, 5, "/serving/2") == "/statistics/4"
    assert spans.previous_statistics(history, 1, "/serving/1") == ""


def test_of_two_runs_on_one_span_the_later_one_counts():
    history = [seen(1, uri="/old"), seen(1, uri="/new")]
    assert spans.previous_statistics(history, 2, "/serving/1") == "/new"


def test_a_span_with_an_unfinished_file_is_being_written(tmp_path: Path):
    for name in (
        ".writing-lock",
        ".writing-12.part-host-1-2.tfrecord.gz",
        ".writing-3.part-host-1-2.tfrecord.gz.salvaged",
    ):
        (tmp_path / name).touch()
    (tmp_path / "4").mkdir()
    assert spans.being_written(tmp_path) == {3, 12}
