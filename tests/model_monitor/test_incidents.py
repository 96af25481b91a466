"""`model-monitor incidents`: what is listed and shown, and what people do about it, in stores of made-up runs.

Of the four spans that `monitor` judged there, the second differs, the third is degraded, and the fourth is undecided.
"""

import json
from pathlib import Path

import pytest
import yaml

from model_monitor import cli
from model_monitor.alerts.outbox import Outbox
from model_monitor.incidents import actions
from model_monitor.reading.run_store import open_store
from tests.model_monitor.alerts.conftest import messages
from tests.model_monitor.alerts.conftest import receiver as receiver  # noqa: PLC0414
from tests.support import printed
from tests.support.code_blocks import named

pytestmark = pytest.mark.prints


def incidents(stored, *arguments):
    return cli.main(["incidents", *arguments, "--metadata", str(stored.metadata)])


def as_json(capsys, stored, *arguments):
    capsys.readouterr()
    assert incidents(stored, *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_an_open_incident_is_listed(stored, capsys):
    (found,) = as_json(capsys, stored)["incidents"]
    expected = {
        "incident": "monitoring/2",
        "severity": "critical",
        "open": True,
        "state": "undecided",
        "cause": {"word": "degraded", "of": ["image_noise", "image_sharpness"]},
        "first_window": 2,
        "worst_window": 3,
        "last_window": 4,
        "windows": 3,
        "closed_window": None,
        "acknowledged": None,
        "runs": [stored.run(f"span-{number}").id for number in (2, 3, 4)],
    }
    assert {name: found[name] for name in expected} == expected
    assert incidents(stored) == 0
    text = printed.words(capsys.readouterr().out)
    assert text.startswith("incident severity state since windows cause monitoring/2 critical open 20")
    assert text.endswith(" 3 degraded: image_noise, image_sharpness")


def test_a_scheduler_is_told_until_somebody_has_acknowledged_it(fresh, capsys):
    assert incidents(fresh, "--exit-code") == 2
    assert incidents(fresh, "2", "--exit-code") == 2
    assert incidents(fresh, "ack", "2", "--because", "on it", "--for", "1d") == 0
    capsys.readouterr()
    assert incidents(fresh, "--exit-code") == 0
    assert "monitoring/2 critical open, acknowledged " in printed.words(capsys.readouterr().out)


def test_one_that_is_over_is_left_out_of_the_open_ones(fresh, capsys):
    fresh.story.span("span-5", 5)
    assert as_json(capsys, fresh, "--open") == {"format_version": 1, "incidents": [], "total": 0}
    (found,) = as_json(capsys, fresh, "--severity", "critical")["incidents"]
    assert (found["closed_window"], found["open"]) == (5, False)
    assert "3 windows not fine" in found["since_when"]
    assert found["since_when"].endswith("; fine again at window 5")
    assert incidents(fresh, "--exit-code") == 0


def test_one_says_what_since_when_how_sure_whether_it_hurts_and_what_to_do(stored, capsys):
    assert incidents(stored, "2") == 0
    text = printed.words(capsys.readouterr().out)
    assert text.startswith("Incident monitoring/2, critical, open Changed degraded, first in image_noise, image_sharp")
    for part in (
        "Since window 2, ",
        "3 windows not fine, ",
        "How sure p = 0.001; ",  # these runs say no threshold
        "image_noise is at 0.8, allowed 0.1; ",
        "accuracy of at most 0.6",  # of many windows
        "; 3 windows in a row; 800 examples against 2,000",
        "Hurts yes: accuracy estimated 0.400 (0.350 to 0.450)",
        "Next Look at the images, label a hundred of them",
        "model-monitor report span:3 --open docs/when_it_alarms.md#the-estimated-accuracy-fell",
        "Causes changed: image_noise degraded: image_noise, image_sharpness",
        f"Runs ✗ {stored.run('span-2').id} (span 2), ",
    ):
        assert part in text


def test_muting_needs_a_reason_and_an_end(fresh, capsys):
    assert incidents(fresh, "mute", "2", "--for", "2h") == 1
    assert "`--because` must be 1 to 1000 characters" in printed.words(capsys.readouterr().err)
    assert incidents(fresh, "mute", "2", "--because", "known") == 1
    assert "a mute has an end" in printed.words(capsys.readouterr().err)
    assert actions.recorded(open_store(fresh.metadata)) == []


def test_who_muted_it_why_and_until_when_is_kept(fresh, capsys):
    assert incidents(fresh, "mute", "2", "--for", "2h", "--because", "camera", "--by", "ann") == 0
    assert "2: muted by ann, 20" in printed.words(capsys.readouterr().out)
    found = as_json(capsys, fresh, "2")
    assert (found["muted"]["by"], found["muted"]["because"], found["muted"]["all"]) == ("ann", "camera", False)
    assert found["muted"]["until"] - found["muted"]["at"] == 7200
    assert incidents(fresh, "unmute", "2", "--because", "mended", "--by", "bob") == 0
    found = as_json(capsys, fresh, "2")
    assert found["muted"] is None
    assert [(each["what"], each["by"]) for each in found["actions"]] == [("muted", "ann"), ("unmuted", "bob")]


def test_all_are_muted_until_a_time(fresh, capsys):
    assert incidents(fresh, "mute", "--all", "--until", "2999-01-01T08:00", "--because", "move") == 0
    assert as_json(capsys, fresh, "2")["muted"]["all"]
    assert "@" in as_json(capsys, fresh, "2")["muted"]["by"]  # who, where nothing is said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mute", "--all", "--until", "2001-01-01T08:00", "--because", "x"], "must lie ahead"),
        (["mute", "--all", "--until", "tomorrow", "--because", "x"], "such as 2026-12-01T08:00"),
        (["mute", "--all", "--for", "2 weeks", "--because", "x"], "e.g. 2h"),
        (["mute", "--for", "2h", "--because", "x"], "be given, or --all"),
        (["mute", "2", "--all", "--for", "2h", "--because", "x"], "be given, or --all"),
        (["ack", "--all", "--because", "x"], "and not --all"),
        (["unmute", "2", "--for", "2h", "--because", "x"], "what is unmuted stays so"),
        (["ack", "99", "--because", "x"], "There is no incident '99'"),
        (["monitorin/2"], "did you mean 'monitoring/2'?"),
        (["12", "13"], "be one incident"),
        (["--limit", "-1"], "be 0 or more"),
    ],
)
def test_what_cannot_be_done_is_said(stored, capsys, arguments, said):
    assert incidents(stored, *arguments) == 1
    assert said in printed.words(capsys.readouterr().err)
    assert actions.recorded(open_store(stored.metadata)) == []


def test_a_pipeline_without_spans_has_none(stored, capsys):
    assert incidents(stored, "--pipeline", "penguin") == 0
    assert "There is no incident." in capsys.readouterr().out


@pytest.fixture
def configured(receiver, tmp_path, monkeypatch):
    """(channels) -> the file of a configuration"""
    monkeypatch.setenv("HOOK_URL", receiver.url)
    monkeypatch.setenv("HOOK_SECRET", "s")

    def write(*channels):
        path = tmp_path / "monitor.yaml"
        path.write_text(yaml.safe_dump({"root": str(tmp_path / "root"), "alerts": {"channels": list(channels)}}))
        return str(path)

    return write


HOOK = {"name": "hook", "type": "webhook", "url": "env:HOOK_URL", "secret": "env:HOOK_SECRET"}
LOG = {"name": "log", "type": "json_lines"}


def test_channels_are_tried_and_the_outbox_shown_as_the_docs_have_it(configured, receiver, capsys, monkeypatch):
    file = configured(HOOK, LOG)
    monkeypatch.chdir(Path(file).parent)
    tried, shown = (command.split()[1:] for command in named("docs/alerts.md", "trying the channels").commands)
    assert cli.main(tried) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "hook: delivered"
    assert json.loads(out[1])["title"] == "Test of an alert"
    assert out[2] == "log: delivered"
    assert receiver.bodies[0]["kind"] == "test"
    assert cli.main(shown) == 1
    assert "somebody was told of incidents" in printed.words(capsys.readouterr().err)
    outbox = Outbox(Path("root/alerts"))
    with outbox.changing():
        for message in messages():
            outbox.put("hook", "cifar10/2@0", message, 1)
    assert cli.main(shown) == 0
    text = printed.words(capsys.readouterr().out)
    assert text.startswith("hook: 2 dead, 1 pending dead letter of hook, 20")
    assert "[critical] cifar10 got worse: degraded at window 3 (the outbox was full, 0 attempts)" in text
    assert cli.main([*shown, "--json", "--limit", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [letter["kind"] for letter in found["dead_letters"]] == ["worse"]
    assert {"channel": "hook", "state": "pending", "count": 1} in found["counts"]


def test_a_channel_that_does_not_deliver_is_said_and_an_error(configured, receiver, capsys, monkeypatch):
    receiver.answers = [b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"]
    file = configured(HOOK, LOG)
    assert cli.main(["incidents", "test-alert", "hook", "--config", file]) == 1
    assert capsys.readouterr().out == "hook: answered 401\n"
    monkeypatch.delenv("HOOK_SECRET")
    assert cli.main(["incidents", "test-alert", "hook", "--config", file]) == 1
    assert "`alerts.channels[hook].secret` must be set in the environment" in printed.words(capsys.readouterr().out)
    assert cli.main(["incidents", "test-alert", "pager", "--config", file]) == 1
    assert "be one of hook, log" in printed.words(capsys.readouterr().err)
    assert cli.main(["incidents", "test-alert", "--config", configured()]) == 1
    assert "name somebody to tell" in printed.words(capsys.readouterr().err)


def test_of_several_models_one_is_named(fresh, tmp_path, capsys):
    root = fresh.metadata.parent
    settings = {"root": str(root.parent), "models": {root.name: {}, "other": {}}}
    file = tmp_path / "monitor.yaml"
    file.write_text(yaml.safe_dump(settings))
    assert cli.main(["incidents", "--config", str(file), "--model", root.name]) == 0
    assert "monitoring/2" in capsys.readouterr().out
    assert cli.main(["incidents", "--config", str(file)]) == 1
    assert f"must be one of {root.name}, other" in printed.words(capsys.readouterr().err)


def test_what_is_undecided_for_long_is_a_setting(fresh, tmp_path, capsys):
    for number in (5, 6):
        fresh.story.span(f"span-{number}", number)
    fresh.story.span("span-7", 7, few=True)
    file = tmp_path / "monitor.yaml"
    file.write_text(yaml.safe_dump({"watch": {}, "incidents": {"undecided_windows": 1}}))
    assert as_json(capsys, fresh, "7", "--config", str(file))["severity"] == "warning"
    assert as_json(capsys, fresh, "7")["severity"] == "information"
