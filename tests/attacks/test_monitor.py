"""`monitor` is killed, started twice, and given files that come later: each verdict is delivered, and once."""

import re
import shutil
from pathlib import Path

import pytest

from components.common.artifacts.tfrecord import read_records
from components.serving_log_writer.log_files import LogFile
from tests.support.started_commands import Home

pytestmark = pytest.mark.long

MONITOR = ("monitor", "--logs", "logs")
NOTHING = "There is no other span to judge"
VERDICT = r"Span {} is (fine|changed|degraded|invalid|undecided)"
# Where it is killed: the moment that its output has this. The short attack takes the first.
POINTS = (
    "✓ SkewDriftValidator", "✓ ValidationReport", "✓ Importing TFX", "✓ BaselineImporter", "✓ ServingLogExampleGen",
    "✓ ImageStatisticsGen", "✓ PerformanceEstimator", VERDICT.format(r"\d+"), r"\nTime ",
)  # fmt: skip


@pytest.fixture
def home(adopted: Path) -> Home:
    """Its folder, in which no span was evaluated yet."""
    shutil.rmtree(adopted / "runs" / "evaluated", ignore_errors=True)
    return Home(adopted)


def verdicts(text: str, span: int) -> int:
    """How many verdicts on a span a text has."""
    return len(re.findall(VERDICT.format(span), text))


def test_a_monitor_that_is_killed_leaves_no_span_without_a_verdict(home: Home, tries, report):
    points = POINTS[: tries(1, len(POINTS))]
    held = 0
    for point in points:
        shutil.rmtree(home.folder / "runs" / "evaluated", ignore_errors=True)
        killed = home.start(*MONITOR, "--span", "1", "--set", "cache=false")
        assert killed.wait_for(point), killed.text
        killed.kill()
        code, text = home.run(*MONITOR, "--wait", "60")  # the process ends a moment after who started it
        told = verdicts(killed.text, 1) + verdicts(text, 1)
        recorded = (next((home.folder / "runs" / "evaluated").rglob("1.json"), None)) is not None
        held += told >= 1 and recorded and code == 0 and (NOTHING not in text)
        again, nothing = home.run(*MONITOR)
        assert (again, NOTHING in nothing) == (0, True), nothing
    report("monitor: kills", len(points), held)


def test_two_monitors_at_once_judge_each_span_once(home: Home, tries, report):
    held = 0
    rounds = tries(1, 5)
    for number in range(rounds):
        shutil.rmtree(home.folder / "runs" / "evaluated", ignore_errors=True)
        more = ("--wait", "300") if number % 2 == 0 else ()
        both = [home.start(*MONITOR, *more) for _ in range(2)]
        ends = [each.end() for each in both]
        text = "".join(text for _, text in ends)
        once = verdicts(text, 1) == verdicts(text, 2) == 1
        refused = sum("is in use: `model-monitor monitor`, process" in text for _, text in ends)
        codes = sorted(code for code, _ in ends)
        held += once and (codes, refused) == (([0, 0], 0) if more else ([0, 1], 1))
    report("monitor: two at once", rounds, held)


def test_files_that_come_later_are_evaluated_with_those_before(home: Home):
    logs = home.folder / "later"
    shutil.copytree(home.folder / "logs" / "1", logs / "1")
    shutil.copytree(home.folder / "logs" / "2", logs / "03")
    (logs / "2" / "folder").mkdir(parents=True)
    (logs / "2" / "folder" / "a").touch()
    (logs / "_SUCCESS").touch()
    code, text = home.run("monitor", "--logs", "later")
    assert code == 0, text
    assert "Left out, hidden by its name: _SUCCESS" in text
    assert "Left out, without logs: 2" in text
    assert (verdicts(text, 1), verdicts(text, 3)) == (1, 1)
    (source,) = (home.folder / "logs" / "2").iterdir()
    late = LogFile(str(logs), 1)
    with source.open("rb") as file:
        for record in read_records(file):
            late.append(record.data)
    late.publish()
    code, text = home.run("monitor", "--logs", "later")
    assert code in (0, 2), text
    assert "Seen before with 200 examples: fine, run " in " ".join(text.split())
    assert (verdicts(text, 1), verdicts(text, 3)) == (1, 0)
    code, text = home.run("why", "span:1")
    assert re.search(r"Before +run \d+, with 200 examples: fine", text), text


def test_a_span_that_cannot_be_evaluated_keeps_no_other_from_its_verdict_and_is_evaluated_next_time(home: Home):
    """Of files of the same name in two folders a node says that it cannot tell their records apart."""
    logs = home.folder / "twice"
    (first,), (second,) = (list((home.folder / "logs" / span).iterdir()) for span in "12")
    for place, source in (("1/a/log.gz", first), ("1/b/log.gz", second), ("2/a/log.gz", second)):
        (logs / place).parent.mkdir(parents=True)
        shutil.copy(source, logs / place)
    command = ("monitor", "--logs", "twice", "--pattern", "{SPAN}/*/*")
    code, text = home.run(*command)
    said = " ".join(text.split())
    assert (code, verdicts(text, 1), verdicts(text, 2)) == (1, 0, 1), text
    assert "ServingLogExampleGen failed: Files of one span must have different names" in said
    assert "1 of 2 spans could not be evaluated." in said
    (logs / "1" / "b" / "log.gz").rename(logs / "1" / "b" / "other.gz")
    code, text = home.run(*command)
    assert code in (0, 2), text
    assert (verdicts(text, 1), verdicts(text, 2)) == (1, 0), text
    code, text = home.run(*command)
    assert (code, NOTHING in text) == (0, True), text
