"""The section `alerts`: what is refused, and that no secret is shown where it is."""

import pytest
from pydantic import ValidationError

from components.common.errors import MonitorError
from components.common.settings import explain
from model_monitor.alerts.settings import AlertsConfig, Channel, secret_of
from model_monitor.watch.settings import WatchConfig
from pipelines.config import TrainingConfig, load, load_any

TOKEN = "T000/B000/XXXXSECRET"  # noqa: S105 - of no service


def refused(given) -> str:
    with pytest.raises(ValidationError) as error:
        AlertsConfig.model_validate(given)
    return explain(AlertsConfig, error.value, lambda _: "monitor.yaml")


def channels(**known):
    return {"channels": ({"name": "team", "type": "apprise", "url": "env:SLACK", **known},)}


def test_what_there_is_by_default():
    config = AlertsConfig.model_validate(channels())
    assert config.channels[0] == Channel(name="team", type="apprise", url="env:SLACK")
    assert (config.keep_days, config.most_pending, config.channels[0].severity) == (7.0, 1000, "information")
    assert AlertsConfig().channels == ()


def test_a_file_is_read_with_its_lists(tmp_path):
    file = tmp_path / "monitor.yaml"
    file.write_text(
        "alerts: {keep_days: 2, channels: [{name: log, type: json_lines, kinds: [opened, closed], timeout_seconds: 5}]}"
    )
    (channel,) = load(WatchConfig, file).alerts.channels
    assert (channel.kinds, channel.timeout_seconds) == (("opened", "closed"), 5.0)
    file.write_text(f"alerts: {{channels: [{{name: team, type: apprise, url: 'slack://{TOKEN}'}}]}}")
    with pytest.raises(
        MonitorError, match=r"monitor\.yaml: `alerts.channels\[0\].url` must be env:NAME or file:PATH"
    ) as error:
        load_any((TrainingConfig, WatchConfig), file)
    assert TOKEN not in str(error.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (channels(url=f"slack://{TOKEN}"), "`channels[0].url` must be env:NAME or file:PATH, where the secret is"),
        (channels(url=12345), "where the secret is, and not the secret itself. Received: something else"),
        (channels(type="webhook"), "must have secret and url as webhook"),
        (channels(secret="env:S"), "must have url as apprise"),  # noqa: S106
        (channels(type="json_lines"), "must have neither url nor secret as json_lines"),
        (channels(type="carrier_pigeon"), "must be 'apprise', 'webhook' or 'json_lines'"),
        (channels(name=f"slack://{TOKEN}"), "`channels[0].name` must match pattern"),
        (channels(severity=TOKEN), "`channels[0].severity`"),
        (channels(images=TOKEN), "`channels[0].images` must be a valid boolean. Received: something else"),
        (channels(severity="urgent"), "'information', 'warning' or 'critical'"),
        (channels(kinds=("opened", "gone")), "'opened', 'worse'"),
        (channels(kinds=()), "`channels[0].kinds`"),
        (channels(timeout_seconds=0.0), "`channels[0].timeout_seconds`"),
        (channels(tokens=TOKEN), "there is no key `channels[0].tokens`"),
        ({"channels": f"slack://{TOKEN}"}, "a list of `channels`, a section each"),
        ({"channels": [f"slack://{TOKEN}"]}, "a list of `channels`, a section each"),
        (f"slack://{TOKEN}", "a list of `channels`, a section each"),
        ({"channels": (*channels()["channels"], *channels()["channels"])}, "channels of different names"),
        ({"keep_days": 0.0}, "`keep_days`"),
    ],
)
def test_what_is_refused_is_said_and_a_secret_is_not(given, said):
    text = refused(given)
    assert said in text
    assert TOKEN not in text
    assert "12345" not in text


def test_secrets_come_from_the_environment_and_from_files(monkeypatch, tmp_path):
    monkeypatch.setenv("SLACK", f" {TOKEN}\n")
    (tmp_path / "secret").write_text(f"{TOKEN}\n")
    assert secret_of("env:SLACK", "url") == secret_of(f"file:{tmp_path / 'secret'}", "url") == TOKEN


def test_a_secret_that_is_not_there_is_an_error_that_names_the_place(monkeypatch, tmp_path):
    monkeypatch.setenv("EMPTY", " ")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe" + TOKEN.encode())
    for reference, said in (
        ("env:NOBODY_SET_THIS", "must be set in the environment. Received: env:NOBODY_SET_THIS, which is not"),
        (f"file:{tmp_path / 'gone'}", "gone, No such file or directory"),
        (f"file:{tmp_path}", "must be a regular file. Received: a folder"),
        (f"file:{tmp_path / 'bytes'}", "must be text in UTF-8"),
        ("env:EMPTY", "must not be empty"),
    ):
        with pytest.raises(MonitorError) as error:
            secret_of(reference, "alerts.channels[team].url")
        assert said in str(error.value)
        assert TOKEN not in str(error.value)
