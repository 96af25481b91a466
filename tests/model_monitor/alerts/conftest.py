"""Channels of a receiver of webhooks on this machine, and what they are told."""

import time

import pytest

from model_monitor.alerts.settings import AlertsConfig, Channel
from model_monitor.alerts.texts import message_of
from model_monitor.incidents.incident import follow
from tests.model_monitor.incidents.windows import windows
from tests.support.webhook_receiver import SECRET, Receiver


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def secrets(receiver, monkeypatch, tmp_path):
    """Where the channels of `config` find what they need."""
    monkeypatch.setenv("HOOK_URL", receiver.url)
    (tmp_path / "hook_secret").write_text(f"{SECRET}\n")
    return {"url": "env:HOOK_URL", "secret": f"file:{tmp_path / 'hook_secret'}"}


@pytest.fixture
def channel(secrets):
    """A channel of webhooks: (settings that differ) -> Channel."""
    return lambda **known: Channel(**{"name": "hook", "type": "webhook", "timeout_seconds": 2.0, **secrets, **known})


@pytest.fixture
def config(channel):
    return AlertsConfig(channels=(channel(),), url="https://monitor.example")


def messages(words: str = "fcdf", site: str = ""):
    """What is said of every change of these windows."""
    _, changes = follow(windows(words))
    return [message_of(change, site) for change in changes]


def wait_for(condition, seconds: float = 15.0):
    """Until it holds, which it has to."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)
