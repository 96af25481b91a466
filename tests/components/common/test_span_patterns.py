"""Spans of logs by patterns: which there are, what is left out; and TFX finds the same files by the same patterns."""

from pathlib import Path

import pytest

from components.common.artifacts.record_files import is_side_file
from components.common.errors import MonitorError
from components.common.span_patterns import LeftOut, SpanPattern, is_hidden, pattern_of


def logs(folder: Path, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def spans(found) -> dict[int, tuple[str, ...]]:
    return {each.span: each.files for each in found.spans}


def test_spans_are_folders_named_by_a_number_in_numerical_order(tmp_path):
    found = SpanPattern().find(logs(tmp_path, "10/a", "9/b", "9/a"))
    assert spans(found) == {9: ("9/a", "9/b"), 10: ("10/a",)}
    assert found.left_out == ()


def test_what_is_no_span_is_named_and_in_the_way_of_none(tmp_path):
    logs(tmp_path, "3/a", "_SUCCESS", ".crc", "notes.txt", "archive/a", "_old/a", "12/_SUCCESS", "1½/a", "٣/a")
    (tmp_path / "5").mkdir()
    found = SpanPattern().find(tmp_path)
    assert spans(found) == {3: ("3/a",)}
    assert {(each.place, each.why, each.files) for each in found.left_out} == {
        ("_SUCCESS", "hidden by its name", 0),
        (".crc", "hidden by its name", 0),
        ("_old", "hidden by its name", 0),
        ("notes.txt", "no span", 0),
        ("archive", "no span", 0),
        ("1½", "no span", 0),
        ("٣", "no span", 0),
        ("5", "without logs", 0),
        ("12", "without logs", 0),
    }


def test_side_files_of_a_span_are_no_logs_and_counted(tmp_path):
    found = SpanPattern().find(logs(tmp_path, "3/a", "3/.a.crc", "3/_SUCCESS", "3/a.md5", "4/manifest.json"))
    (span,) = found.spans
    assert (span.files, span.side_files) == (("3/a",), 3)
    assert found.left_out == (LeftOut("4", "without logs"),)
    assert (is_hidden("_a"), is_hidden(".a"), is_hidden("a_.")) == (True, True, False)


def test_a_padded_number_is_a_span_and_of_two_spellings_the_plain_one(tmp_path):
    found = SpanPattern().find(logs(tmp_path, "03/a", "7/a", "07/a", "07/b", "8/a"))
    assert spans(found) == {3: ("03/a",), 7: ("7/a",), 8: ("8/a",)}
    assert found.left_out == (LeftOut("07", "the same span as 7", 2),)
    assert [each.pattern for each in found.spans] == ["{SPAN:2}/*", "{SPAN}/*", "{SPAN}/*"]


def test_dates_are_days_since_1970_and_one_that_is_none_is_named(tmp_path):
    logs(tmp_path, "2026-11-26/a", "1970-01-02/a", "2026-02-30/a", "2026-1-1/a")
    found = SpanPattern("{YYYY}-{MM}-{DD}/*").find(tmp_path)
    assert spans(found) == {1: ("1970-01-02/a",), 20783: ("2026-11-26/a",)}
    assert {(each.place, each.why) for each in found.left_out} == {("2026-02-30", "no date"), ("2026-1-1", "no span")}


def test_of_several_versions_the_newest_counts(tmp_path):
    found = SpanPattern("{SPAN}/v{VERSION}/*").find(logs(tmp_path, "3/v1/a", "3/v10/a", "3/v9/b", "3/x/a", "4/v1/a"))
    assert spans(found) == {3: ("3/v10/a",), 4: ("4/v1/a",)}
    assert [each.version for each in found.spans] == [10, 1]
    assert [each.place for each in found.left_out] == ["3/x"]


def test_the_newest_version_is_the_one_that_tfx_takes(tmp_path):
    from tfx.components.example_gen import utils
    from tfx.proto import example_gen_pb2

    logs(tmp_path, "3/v1/a", "3/v10/a", "3/v9/b")
    split = example_gen_pb2.Input.Split(name="serving", pattern="{SPAN}/v{VERSION}/*")
    _, span, version = utils.calculate_splits_fingerprint_span_and_version(str(tmp_path), [split], None)
    (found,) = SpanPattern("{SPAN}/v{VERSION}/*").find(tmp_path).spans
    assert (found.span, found.version, found.pattern) == (span, version, "{SPAN}/v10/*")


@pytest.mark.parametrize(
    "pattern", ["*", "{SPAN}{SPAN}/*", "{SPAN}/{YYYY}/{MM}/{DD}", "{YYYY}-{MM}/*", "{VERSION}/*", "{SPAN:0}/*",
                "{SPAN:x}/*", "{SPAN:}/*", "/{SPAN}/*", "../{SPAN}/*", "{SPAN}/[a]*", "{SPAN}/{VERSION}/{VERSION}/*"]
)  # fmt: skip
def test_what_is_no_pattern_is_refused_by_its_name(pattern):
    with pytest.raises(MonitorError, match=r"`serving_logs_pattern` must have .* Received: "):
        pattern_of(pattern, "serving_logs_pattern")


FILES = ("3/a", "03/a", "7/a", "7/b", "12/a", "12/.hidden", "100/a", "2026-11-26/log-a", "2026-11-27/log-b",
         "2026-11-27/other", "s-4/v1/a", "s-4/v2/a", "s-4/v10/b",
         "s-15/v02/x", "part-5.gz", "part-16.gz", "part-16.gz.bak")  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{SPAN}/*", [3, 7, 12, 100]),
        ("{SPAN:2}/*", [3, 12]),
        ("{SPAN:3}/*", [100]),
        ("{YYYY}-{MM}-{DD}/log-*", [20783, 20784]),
        ("s-{SPAN}/v{VERSION}/*", [4, 15]),
        ("s-{SPAN}/v{VERSION:2}/*", [4, 15]),
        ("part-{SPAN}.gz", [5, 16]),
        ("{SPAN}/?", [3, 7, 12, 100]),
    ],
)
def test_tfx_finds_the_same_files_of_each_span(tmp_path, pattern, expected):
    from tfx.components.example_gen import utils
    from tfx.proto import example_gen_pb2, range_config_pb2

    found = SpanPattern(pattern).find(logs(tmp_path, *FILES))
    assert [each.span for each in found.spans] == expected
    for each in found.spans:
        split = example_gen_pb2.Input.Split(name="serving", pattern=each.pattern)
        one = range_config_pb2.StaticRange(start_span_number=each.span, end_span_number=each.span)
        config = range_config_pb2.RangeConfig(static_range=one)
        _, span, _ = utils.calculate_splits_fingerprint_span_and_version(str(tmp_path), [split], config)
        assert span == each.span
        read = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob(split.pattern) if path.is_file())
        assert [name for name in read if not is_side_file(name)] == list(each.files)
