"""The outbox on disk, and the senders that empty it: nothing lost, nothing doubled, whatever is answered."""

import io
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.common.errors import MonitorError
from model_monitor.alerts.delivery import LEAST_ATTEMPTS, Delivery, Sender, locked_at_once, opened
from model_monitor.alerts.outbox import DEAD, IN_FLIGHT, PENDING, SENT, Outbox
from model_monitor.alerts.settings import AlertsConfig
from model_monitor.alerts.texts import Message, idempotency_key
from tests.model_monitor.alerts.conftest import messages, wait_for
from tests.support.webhook_receiver import SECRET, TOKEN

REPOSITORY = Path(__file__).resolve().parents[3]
KEY = "cifar10/2@0"
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 429 No\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n"
BROKEN = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n"
OPENED, WORSE, CLOSED = messages()


def no_picture(_):
    return None


@pytest.fixture
def outbox(tmp_path):
    box = Outbox(tmp_path / "alerts")
    yield box
    box.close()


def put(outbox, *wanted, channel="hook", most=1000, now=None):
    with outbox.changing():
        for message in wanted:
            outbox.put(channel, KEY, message, most, now)


@pytest.fixture
def sender(channel, outbox):
    """Of the webhook; keeps messages for seven days."""
    return Sender(channel(), opened(channel(), io.StringIO()), outbox, 7.0, no_picture)


def test_a_message_is_read_as_it_was_written():
    assert Message.from_json(OPENED.to_json()) == OPENED
    for text in ("", "[]", "{}", OPENED.to_json().replace('"format_version": 1', '"format_version": 2')):
        with pytest.raises(MonitorError):
            Message.from_json(text)


def test_the_same_message_is_put_in_once(outbox):
    put(outbox, OPENED, WORSE)
    put(outbox, OPENED)
    put(outbox, OPENED, channel="other")
    assert outbox.counts() == {("hook", PENDING): 2, ("other", PENDING): 1}
    assert outbox.next("hook").key == idempotency_key("hook", "cifar10", KEY, "opened", 2)
    assert outbox.next("other").key != outbox.next("hook").key


def test_what_was_put_in_together_is_there_together_or_not_at_all(outbox):
    def half():
        with outbox.changing():
            outbox.put("hook", KEY, OPENED, 10)
            outbox.tell("series", 2)
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert (outbox.counts(), outbox.told("series")) == ({}, None)


def test_messages_are_sent_in_their_order_and_once(outbox, sender, receiver):
    put(outbox, OPENED, WORSE, CLOSED)
    while sender.step() is not None:
        pass
    assert [body["kind"] for body in receiver.bodies] == ["opened", "worse", "closed"]
    assert outbox.counts() == {("hook", SENT): 3}
    put(outbox, OPENED)
    assert sender.step() is None


@pytest.mark.parametrize(
    ("answer", "earliest", "latest"), [(BROKEN, 0.0, 2.0), (BUSY, 50.0, 50.0)], ids=["broken", "Retry-After"]
)
def test_what_is_not_taken_is_sent_again_later_and_what_comes_after_it_waits(
    outbox, sender, receiver, answer, earliest, latest
):
    receiver.answers = [answer, FINE]
    put(outbox, OPENED, CLOSED)
    now = time.time()
    due = sender.step(now)
    assert earliest <= due - now <= latest
    assert sender.step(due - 0.001) == due
    assert len(receiver.requests) == 1
    letter = outbox.next("hook")
    assert (letter.state, letter.attempts, letter.reason[:8]) == (PENDING, 1, "answered")
    sender.step(due)
    sender.step(due)
    assert [body["kind"] for body in receiver.bodies] == ["opened", "opened", "closed"]
    assert len({body["id"] for body in receiver.bodies}) == 2
    assert outbox.counts() == {("hook", SENT): 2}


def test_a_clock_that_is_set_back_keeps_no_message(outbox, sender, receiver):
    now = time.time()
    put(outbox, OPENED, now=now)
    sender.step(now - 30 * 86400)
    assert len(receiver.requests) == 1


def test_a_message_that_is_refused_is_a_dead_letter_and_keeps_nobody_waiting(outbox, sender, receiver):
    receiver.answers = [REFUSED, FINE]
    put(outbox, OPENED, CLOSED)
    sender.step()
    sender.step()
    assert outbox.counts() == {("hook", DEAD): 1, ("hook", SENT): 1}
    (letter,) = outbox.dead()
    assert (letter.message.kind, letter.reason) == ("opened", "answered 422")


def test_a_message_is_tried_for_so_many_days_and_so_often(outbox, sender, receiver):
    """Ten times at least: what looks old may be so only because the clock was set forward."""
    receiver.answers = [BROKEN]
    now = time.time()
    put(outbox, OPENED, now=now - 8 * 86400)
    for _ in range(LEAST_ATTEMPTS):
        assert outbox.dead() == []
        now = sender.step(now)
    assert len(receiver.requests) == LEAST_ATTEMPTS
    assert [(letter.reason, letter.attempts) for letter in outbox.dead()] == [("answered 500", LEAST_ATTEMPTS)]


def test_an_outbox_that_is_full_gives_up_its_oldest(outbox):
    put(outbox, OPENED, WORSE, CLOSED, most=2)
    put(outbox, OPENED, channel="other", most=2)
    assert outbox.counts() == {("hook", DEAD): 1, ("hook", PENDING): 2, ("other", PENDING): 1}
    (letter,) = outbox.dead()
    assert (letter.message.kind, letter.reason) == ("opened", "the outbox was full")


def test_what_is_done_is_removed_in_time_and_still_counted(outbox, sender, monkeypatch):
    monkeypatch.setattr("model_monitor.alerts.outbox._MOST_SENT", 1)
    put(outbox, OPENED, WORSE, CLOSED)
    while sender.step() is not None:
        pass
    for message in messages("fffffcf"):
        put(outbox, message)
    assert outbox.counts() == {("hook", SENT): 3, ("hook", PENDING): 2}
    with sqlite3.connect(outbox.path) as database:
        assert database.execute("SELECT COUNT(*) FROM messages").fetchone() == (3,)


def test_what_a_library_raises_is_a_reason_without_its_words(outbox, channel):
    class Raises:
        def send(self, *_):
            raise RuntimeError(f"http://user:{SECRET}@host")

    put(outbox, OPENED)
    Sender(channel(), Raises(), outbox, 7.0, no_picture).step()
    assert outbox.next("hook").reason == "RuntimeError"


def test_a_picture_that_cannot_be_made_keeps_no_message(outbox, channel, receiver):
    def fails(_):
        raise OSError

    put(outbox, OPENED)
    Sender(channel(), opened(channel(), io.StringIO()), outbox, 7.0, fails).step()
    assert "picture_png" not in receiver.bodies[0]


_KILLED = """
import io, os, signal, sys
from pathlib import Path
from model_monitor.alerts.delivery import Sender, opened
from model_monitor.alerts.outbox import Outbox
from model_monitor.alerts.settings import Channel

channel = Channel(name="hook", type="webhook", url="env:HOOK_URL", secret="env:HOOK_SECRET")
real = opened(channel, io.StringIO())

class Killed:
    def send(self, *arguments):
        real.send(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

Sender(channel, Killed(), Outbox(Path(sys.argv[1])), 7.0, lambda _: None).step()
"""


def test_a_sender_that_is_killed_between_sending_and_noting_it_sends_again_under_the_same_key(
    outbox, sender, receiver, tmp_path
):
    put(outbox, OPENED)
    environment = {**os.environ, "HOOK_URL": receiver.url, "HOOK_SECRET": SECRET, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "alerts")]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert [body["kind"] for body in receiver.bodies] == ["opened"]
    assert outbox.next("hook").state == IN_FLIGHT
    sender.step()
    assert outbox.counts() == {("hook", SENT): 1}
    first, second = receiver.bodies
    assert first["id"] == second["id"]


def test_an_outbox_holds_no_url_and_no_secret(outbox, sender, receiver):
    receiver.answers = [BROKEN]
    put(outbox, OPENED)
    sender.step()
    outbox.close()
    content = b"".join(path.read_bytes() for path in outbox.path.parent.iterdir())
    assert b"answered 500" in content
    assert not any(secret.encode() in content for secret in (SECRET, TOKEN, "127.0.0.1"))


def test_what_is_no_outbox_is_an_error_that_names_the_file(tmp_path):
    folder = tmp_path / "alerts"
    folder.mkdir()
    (folder / "outbox.sqlite").write_bytes(b"no database at all, and longer than a header of one" * 10)
    with pytest.raises(MonitorError, match=r"outbox\.sqlite cannot be read or written: file is not a database"):
        Outbox(folder)
    (folder / "outbox.sqlite").unlink()
    with sqlite3.connect(folder / "outbox.sqlite") as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(MonitorError, match=r"must be an outbox of format 1\. Received: format 9"):
        Outbox(folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(MonitorError, match="cannot be made"):
        Outbox(tmp_path / "file" / "alerts")


@pytest.fixture
def delivery(config, outbox, receiver, channel):
    ready = {"hook": opened(channel(), io.StringIO())}
    started = Delivery(config, outbox.path.parent, ready, no_picture)
    yield started
    receiver.ending.set()
    started.close(5.0)


def test_threads_send_what_is_put_in_and_nobody_waits_for_them(delivery, outbox, receiver):
    receiver.answers = [None]  # hangs
    delivery.start()
    started = time.monotonic()
    put(outbox, OPENED)
    delivery.wake()
    assert time.monotonic() - started < 1
    wait_for(lambda: len(receiver.requests) == 1)
    put(outbox, CLOSED)
    assert outbox.counts()["hook", IN_FLIGHT] == 1


def test_what_is_due_is_sent_before_the_end_and_the_rest_is_kept(delivery, outbox, receiver):
    receiver.answers = [FINE, BUSY]
    put(outbox, OPENED, CLOSED)
    delivery.start()
    delivery.close(10.0)
    assert outbox.counts() == {("hook", SENT): 1, ("hook", PENDING): 1}


def test_one_process_sends_at_a_time(delivery, outbox, receiver):
    put(outbox, OPENED)
    with locked_at_once(outbox.path.parent / "hook.lock") as mine:
        assert mine
        delivery.start()
        time.sleep(0.3)
        assert receiver.requests == []
    delivery.wake()
    wait_for(lambda: len(receiver.requests) == 1)


def test_an_outbox_that_breaks_is_a_problem_that_goes_away_with_it(config, tmp_path, channel, receiver):
    folder = tmp_path / "alerts"
    folder.mkdir()
    path = folder / "outbox.sqlite"
    path.write_bytes(b"no database at all, and longer than a header of one" * 10)
    delivery = Delivery(config, folder, {"hook": opened(channel(), io.StringIO())}, no_picture)
    delivery.start()
    wait_for(lambda: "is not a database" in delivery.problems.get("hook", ""))
    path.unlink()
    delivery.wake()
    wait_for(lambda: delivery.problems == {})
    delivery.close(5.0)


def test_channels_do_not_wait_for_each_other(channel, outbox, receiver):
    receiver.answers = [None]
    stream = io.StringIO()
    config = AlertsConfig(channels=(channel(), channel(name="log", type="json_lines", url=None, secret=None)))
    ready = {each.name: opened(each, stream) for each in config.channels}
    delivery = Delivery(config, outbox.path.parent, ready, no_picture)
    put(outbox, OPENED)
    put(outbox, OPENED, channel="log")
    delivery.start()
    wait_for(lambda: outbox.counts().get(("log", SENT)) == 1)
    assert stream.getvalue().count("\n") == 1
    receiver.ending.set()
    delivery.close(5.0)
