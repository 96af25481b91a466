"""`watch` as people start it: killed at any moment and started again, it judges each window once and loses nothing."""

import collections
import contextlib
import json
import random
import re
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from components.common.verdict_words import EXIT_BLOCKED, EXIT_ERROR, EXIT_FINE
from model_monitor.watch.journal_rows import SET_ASIDE
from tests.support.code_blocks import named
from tests.support.running_proxy import SECONDS, until
from tests.support.warm.starting import warm
from tests.support.watched_command import EXAMPLES, Watched

pytestmark = pytest.mark.long


def test_what_is_there_becomes_windows_that_every_command_knows(watched: Watched):
    records = watched.traffic()
    watched.publish(1, records[:3])
    broken = watched.logs / "1" / "part-9"
    broken.write_bytes(b"no TFRecords, and nothing else that anybody knows" * 99)
    code, text = watched.watch("--once").end()
    assert code == 2, text
    found = re.findall(r"window (\d), +(\d+) examples +(\w+)", text)
    assert [(number, state) for number, _, state in found] == [
        ("1", "fine"), ("2", "fine"), ("3", "fine"), ("4", "invalid")
    ]  # fmt: skip
    store = ("--metadata", watched.root.name)
    assert "Span 1 is fine" in watched.run("why", "span:1", *store)[1]
    assert "Span 4 is invalid" in watched.run("why", "span:4", *store)[1]
    watched.publish(2, records[3:])
    code, text = watched.watch("--once", "--json").end()
    events = [json.loads(line) for line in text.splitlines()]
    (judged,) = [each for each in events if each["event"] == "judged"]
    assert (code, judged["record"]["window"], judged["record"]["state"], judged["closed"]) == (0, 5, "fine", "examples")
    assert judged["record"]["first_request"] <= judged["record"]["last_request"]
    assert watched.watch("--once").end()[0] == EXIT_FINE
    assert watched.verdicts() == dict.fromkeys(range(1, 6), 1)
    code, text = watched.watch("--status", "--json").end()
    assert (code, json.loads(text)["totals"]["examples"]) == (0, 401)
    with contextlib.closing(sqlite3.connect(watched.journal().path)) as journal, journal:  # killed before it was noted
        journal.execute("UPDATE windows SET state = 'closed', record = NULL, place = NULL WHERE number = 5")
    before = watched.runs()
    code, text = watched.watch("--once").end()
    assert (code, "window 5, 100 examples  fine" in text) == (EXIT_FINE, True), text
    assert (watched.runs(), watched.verdicts()[5]) == (before, 1)  # the run that there is counts


def test_what_is_old_is_removed_and_verdicts_stay(watched: Watched):
    records = watched.traffic()
    watched.publish(1, records[:2])
    killed = watched.watch("--once")
    until(lambda: [*watched.root.glob("artifacts/ImageStatisticsGen/statistics/*")], 10 * SECONDS)
    killed.kill()  # what the evaluation has left goes with its window
    assert watched.watch("--once").end()[0] == EXIT_FINE
    store = ("--metadata", watched.root.name)
    before = watched.run("why", "span:1", *store)
    watched.publish(2, records[2:3])
    code, text = watched.watch("--once", "--set", "watch.keep_windows=1").end()
    assert (code, "2 old windows of monitoring were removed; their verdicts stay" in " ".join(text.split())) == (
        0,
        True,
    )
    assert [path.name for path in watched.root.glob("windows/*")] == ["3"]
    names = ("examples", "report", "ImageStatisticsGen/statistics")
    left = [path for path in watched.root.glob("artifacts/*/*/*") if str(path.parent).endswith(names)]
    assert len(left) == 3, left  # of the last window
    assert watched.run("why", "span:1", *store) == before
    assert watched.run("inspect", *store)[0] == EXIT_FINE
    watched.publish(3, records[3:])
    assert watched.watch("--once").end()[0] == EXIT_FINE
    events = json.loads(watched.watch("--status", "--json").end()[1])["events"]
    assert [re.sub(r"\d+\.\d [kM]B", "SIZE", each) for each in events] == [
        f"window {number}: SIZE removed, as `watch.keep_windows` is 1" for number in (1, 2)
    ]


def test_an_evaluation_that_takes_too_long_is_set_aside_and_can_be_judged_later(watched: Watched):
    """A real one is interrupted, wherever it is after three hundredths of a second; what it has left is no verdict."""
    records = watched.traffic()[:1]
    watched.publish(1, records)
    limit = ("--set", "watch.evaluation_minutes=0.0005", "--set", "watch.attempts=2")
    code, text = watched.watch("--once", *limit).end()
    assert code == EXIT_ERROR, text
    assert "longer than `watch.evaluation_minutes`, 0.0005" in " ".join(text.split()), text
    assert (watched.verdicts(), watched.journal().count(SET_ASIDE)) == ({}, 1)
    assert watched.watch("--retry", "1").end()[0] == EXIT_FINE
    assert watched.watch("--once").end()[0] == EXIT_FINE
    complaints = watched.complaints(collections.Counter(records), EXAMPLES)
    assert not complaints, complaints


def test_wherever_an_evaluation_is_interrupted_the_window_is_fine_or_has_no_verdict(watched: Watched, tries, report):
    """What decodes an image or draws a page decides by what is raised there, and an interruption is nobody's fault."""
    limits = tries(3, 60)
    records = watched.traffic()[:1]
    for number in range(1, limits + 1):
        watched.publish(number, records)
        limit = f"watch.evaluation_minutes={0.0003 + 0.015 * (number - 1) / limits}"  # a whole one takes a second
        code, text = watched.watch("--once", "--set", limit, "--set", "watch.attempts=1").end()
        aside = watched.journal().count(SET_ASIDE)
        judged = list(watched.journal().records)
        assert aside + len(judged) == number, text
        assert watched.verdicts() == {record.window: 1 for record in judged}, text
        assert {record.state.value for record in judged} <= {"fine"}, text
        assert code in (EXIT_FINE, EXIT_ERROR), text
    report("watch: interruptions", limits, limits)


def test_the_page_on_watching_is_right_about_a_first_look(adopted: Path):
    once, status = named("docs/watching.md", "a first look").commands
    done = warm().call("bash", "-c", once, folder=adopted)
    line = re.search(
        r"window 1, 400 examples +(fine|changed) +p 0\.\d+ +accuracy \d\.\d+ estimated( +Span 1 is)?", done.stdout
    )
    assert line is not None, done.stdout + done.stderr
    # half of the images are in both spans, so that the window lies about where an alarm begins
    assert (done.returncode, bool(line[2])) == ((EXIT_FINE, False) if line[1] == "fine" else (EXIT_BLOCKED, True))
    done = warm().call("bash", "-c", status, folder=adopted)
    assert (done.returncode, re.search(r"judged +1\n", done.stdout) is not None) == (EXIT_FINE, True), done.stdout


def test_it_follows_and_ends_when_it_is_asked_to(watched: Watched):
    process = watched.watch()
    assert process.wait_for("Log:"), process.text
    watched.publish(1, watched.traffic()[:1])
    assert process.wait_for("window 1, "), process.text
    process.process.send_signal(signal.SIGTERM)
    code, text = process.end()
    assert code == EXIT_FINE, text
    assert watched.verdicts() == {1: 1}


def test_killed_at_any_moment_it_loses_nothing_and_judges_nothing_twice(watched: Watched, tries, report):
    kills = tries(3, 200)
    draw = random.Random(8)  # noqa: S311 - when it is killed
    records, sent = watched.traffic(), collections.Counter()
    for number in range(kills):
        process = watched.watch("--wait", "60")  # the process ends a moment after who started it
        record = records[number % len(records)] + b"\x7a\x08kill%04d" % number  # with an unknown field: another one
        sent.update([record])
        watched.publish(number + 1, [record])
        if number % 10 == 9:  # now and then it comes to something, whatever the machine has to do
            assert process.wait_for(r"window \d+, "), process.text
        time.sleep(draw.uniform(0, 6))
        process.kill()
        assert process.process.returncode == -signal.SIGKILL, process.text
    code, text = watched.watch("--once", "--wait", "60").end()
    assert code == EXIT_FINE, text
    complaints = watched.complaints(sent, EXAMPLES * kills)
    assert not complaints, complaints
    report("watch: kills", kills, kills)
