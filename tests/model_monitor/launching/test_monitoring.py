"""What `monitor` judges, against what, by which settings; whole runs are tested end to end."""

from pathlib import Path

import pytest
import yaml

from components.common.errors import MonitorError
from model_monitor.launching import monitoring
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


def test_every_span_is_judged_once_and_one_that_is_asked_for_again(home):
    (home / "logs" / ".writing-12.part-host-1-2.tfrecord.gz").touch()
    assert monitoring.spans_to_judge(configured()) == monitoring.Spans((3,), unfinished=(12,))
    assert monitoring.spans_to_judge(configured(), 12) == monitoring.Spans((12,))


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
