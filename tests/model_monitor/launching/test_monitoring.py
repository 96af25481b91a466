"""What `monitor` judges, against what, by which settings; whole runs are tested end to end."""

from pathlib import Path

import pytest
import yaml

from components.common.errors import MonitorError
from components.serving_log_writer.log_files import LogFile
from model_monitor.launching import monitoring
from model_monitor.launching.evaluated import Evaluation
from pipelines.config import MonitoringConfig
from tests.support.bundles import write_bundle
from tests.support.model_specs import digits_spec


def version(folder: Path) -> Path:
    return write_bundle(folder, digits_spec())


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A working directory with two spans of logs."""
    monkeypatch.chdir(tmp_path)
    for span in ("3", "12"):
        (tmp_path / "logs" / span).mkdir(parents=True)
        (tmp_path / "logs" / span / "part-0").write_bytes(b"log")
    return tmp_path


def remember(home: Path, **settings: str) -> None:
    (home / "runs").mkdir(exist_ok=True)
    (home / "runs" / monitoring.REMEMBERED).write_text(yaml.safe_dump(settings))


def configured(*settings: str, file: Path | None = None, **given: str):
    return monitoring.configuration(file, settings, {"serving_logs": "logs", **given})


def test_the_newest_pushed_version_is_the_served_one(home):
    version(home / "runs" / "serving" / "7")
    version(home / "runs" / "serving" / "20")
    assert monitoring.served(configured()).manifest.model_version == 20


def test_what_adopt_wrote_under_the_root_goes_before_the_newest_push(home):
    version(home / "runs" / "serving" / "20")
    remember(home, bundle=str(version(home / "models" / "4")))
    assert monitoring.served(configured()).manifest.model_version == 4


def test_another_root_has_a_memory_of_its_own(home):
    version(home / "other" / "serving" / "20")
    remember(home, bundle=str(version(home / "models" / "4")))
    assert monitoring.served(configured("root=other")).manifest.model_version == 20


def test_the_command_line_goes_before_what_adopt_wrote(home):
    remember(home, bundle=str(version(home / "models" / "4")))
    version(home / "models" / "5")
    assert monitoring.served(configured(bundle="models/5")).manifest.model_version == 5
    assert monitoring.served(configured(bundle="", serving_dir="models")).manifest.model_version == 5


def test_a_file_of_settings_goes_in_the_place_of_what_adopt_wrote(home):
    remember(home, bundle=str(version(home / "models" / "4")))
    file = home / "mine.yaml"
    file.write_text(yaml.safe_dump({"bundle": str(version(home / "models" / "5"))}))
    assert monitoring.served(configured(file=file)).manifest.model_version == 5


def test_a_model_without_a_baseline_says_what_makes_one(home):
    with pytest.raises(MonitorError, match="`model-monitor adopt` makes a baseline"):
        monitoring.served(configured())


def chosen(config, span: int | None = None) -> list[int]:
    return [each.span for each in monitoring.spans_to_judge(config, span).chosen]


def evaluated(config, span: int, state: str = "fine") -> None:
    """A verdict on all that there is of the span, delivered."""
    known = monitoring.evaluations(config)
    files = known.stamps(config.serving_spans.span(span).files)
    known.deliver(Evaluation(span, "/serving/1", 1, "r", state, 10, 0.5, "/nowhere", files))


def test_every_span_is_judged_once_and_one_that_is_asked_for_again(home):
    assert chosen(configured()) == [3, 12]
    evaluated(configured(), 3)
    assert chosen(configured()) == [12]
    assert chosen(configured(), 3) == [3]


def test_a_span_that_is_being_written_to_waits_unless_it_is_asked_for(home):
    file = LogFile(str(home / "logs"), 12)
    spans = monitoring.spans_to_judge(configured())
    assert ([each.span for each in spans.chosen], spans.unfinished, spans.left_out) == ([3], (12,), ())
    assert chosen(configured(), 12) == [12]
    file.append(b"a record")
    file.publish()
    assert chosen(configured()) == [3, 12]


def test_monitor_at_noon_loses_nothing_of_a_day(home):
    """The writer's default, a span a day: what comes in the afternoon is evaluated with what was there before."""
    (home / "logs" / "20783").mkdir()
    (home / "logs" / "20783" / "morning").write_bytes(b"400 examples")
    for span in (3, 12, 20783):
        evaluated(configured(), span, "changed")
    assert chosen(configured()) == []
    (home / "logs" / "20783" / "afternoon").write_bytes(b"more")
    (span,) = monitoring.spans_to_judge(configured()).chosen
    assert (span.span, span.files) == (20783, ("20783/afternoon", "20783/morning"))
    known = monitoring.evaluations(configured())
    seen = known.history(20783, known.stamps(span.files)).seen
    assert (seen.examples, seen.state) == (10, "changed")


def test_what_is_no_span_is_named_and_in_the_way_of_none(home):
    (home / "logs" / "5").mkdir()
    for name in ("03/part-0", "012/part-1", "012/part-2", "notes/part-0", "7/part-0"):
        (home / "logs" / name).parent.mkdir(exist_ok=True)
        (home / "logs" / name).write_bytes(b"log")
    spans = monitoring.spans_to_judge(configured())
    assert [each.span for each in spans.chosen] == [3, 7, 12]
    assert {each.place for each in spans.left_out} == {"5", "03", "012", "notes"}
    assert {each.place: each.files for each in spans.undecided} == {"03": 1, "012": 2}


def test_other_patterns_name_spans_too(home):
    (home / "days" / "2026-11-26").mkdir(parents=True)
    (home / "days" / "2026-11-26" / "part-0").write_bytes(b"log")
    config = configured(serving_logs="days", serving_logs_pattern="{YYYY}-{MM}-{DD}/*")
    assert chosen(config) == [20783]
    with pytest.raises(MonitorError, match="`serving_logs_pattern` must have"):
        chosen(configured(serving_logs_pattern="*"))


def test_what_verdicts_fail_is_read_where_monitor_reads_it(home):
    plain = MonitoringConfig()
    assert monitoring.fail_on(plain, None, ()) == ("degraded", "invalid", "changed", "undecided")
    (home / "runs").mkdir()
    note = {"bundle": "x", "monitor": {"fail_on": ["degraded"]}}
    (home / "runs" / monitoring.REMEMBERED).write_text(yaml.safe_dump(note))
    assert monitoring.fail_on(plain, None, ()) == ("degraded",)
    assert monitoring.fail_on(plain, None, ("root=runs", "monitor.fail_on=[invalid]")) == ("invalid",)
    assert monitoring.fail_on(plain, home / "file.yaml", ()) == plain.monitor.fail_on


@pytest.mark.parametrize("words", ["[fine]", "[not_fine]", "changed", "[3]"])
def test_only_the_words_of_verdicts_that_are_no_pass_can_fail(home, words):
    with pytest.raises(MonitorError, match="fail_on"):
        configured(f"monitor.fail_on={words}")


@pytest.mark.parametrize("against", ["last_fine", "previous"])
def test_drift_is_measured_against_what_is_said(home, against):
    assert configured(f"monitor.drift_against={against}").monitor.drift_against == against
    with pytest.raises(MonitorError, match="drift_against"):
        configured("monitor.drift_against=baseline")


@pytest.mark.parametrize(
    ("span", "given", "expected"),
    [
        (4, {}, r"`--span` must be one of the spans in .*: \[3, 12\]. Received: 4"),
        (None, {"serving_logs": "nowhere"}, "`serving_logs` must be a folder of serving logs"),
    ],
)
def test_logs_that_are_not_there_are_an_error(span, given, expected):
    with pytest.raises(MonitorError, match=expected):
        monitoring.spans_to_judge(configured(**given), span)


def test_a_span_that_is_not_there_is_said_before_anything_runs(home):
    version(home / "runs" / "serving" / "7")
    with pytest.raises(MonitorError, match="`--span` must be one of the spans"):
        monitoring.monitor_span(configured(), 4)
    assert not (home / "runs" / "metadata.sqlite").exists()
