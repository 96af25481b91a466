"""What goes out by each kind of channel, to a receiver on this machine, and what is said where it does not."""

import base64
import io
import json
import logging
import socket
import sys
import time
from email.utils import formatdate

import pytest

from components.common.errors import MonitorError
from model_monitor.alerts.delivery import opened
from model_monitor.alerts.sending import UndeliveredError
from model_monitor.alerts.settings import Channel
from model_monitor.alerts.texts import test_message as message_of_a_test
from model_monitor.alerts.webhook import KEY, SIGNATURE, TIMESTAMP, seconds_of, sign
from tests.model_monitor.alerts.conftest import messages
from tests.support.code_blocks import named
from tests.support.webhook_receiver import SECRET, TOKEN

PNG = b"\x89PNG a picture"
(OPENED, WORSE, CLOSED) = messages()


def no_picture():
    return None


def test_a_webhook_gets_a_message_that_its_receiver_can_verify(channel, receiver):
    opened(channel(), io.StringIO()).send(OPENED, "key-1", lambda: PNG)
    ((headers, body),) = receiver.requests
    assert headers[SIGNATURE.lower()] == sign(SECRET, headers[TIMESTAMP.lower()], body)
    assert headers[SIGNATURE.lower()] != sign("another", headers[TIMESTAMP.lower()], body)
    assert abs(int(headers[TIMESTAMP.lower()]) - time.time()) < 60
    assert headers[KEY.lower()] == "key-1"
    assert headers["content-type"] == "application/json"
    record = json.loads(body)
    assert (record["id"], record["kind"], record["incident"], record["format_version"]) == (
        "key-1",
        "opened",
        "cifar10/2",
        1,
    )
    assert base64.b64decode(record["picture_png"]) == PNG


def test_the_receiver_of_the_docs_takes_a_message_once_and_no_other(channel, receiver):
    names: dict = {}
    exec(named("docs/alerts.md", "a receiver").text, names)  # noqa: S102 - the page's own
    sends = opened(channel(images=False), io.StringIO())
    for key in ("key-1", "key-1", "key-2"):
        sends.send(OPENED, key, no_picture)
    requests = [({name.title(): value for name, value in headers.items()}, body) for headers, body in receiver.requests]
    taken = [names["is_new_and_genuine"](SECRET.encode(), headers, body) for headers, body in requests]
    assert taken == [True, False, True]
    names["SEEN"].clear()
    headers, body = requests[0]
    old = str(int(headers[TIMESTAMP]) - 301)
    replayed = {**headers, TIMESTAMP: old, SIGNATURE: sign(SECRET, old, body)}
    for secret, given, content in (
        (b"another", headers, body),
        (SECRET.encode(), headers, body + b" "),
        (SECRET.encode(), {**headers, TIMESTAMP: old}, body),
        (SECRET.encode(), replayed, body),
    ):
        assert not names["is_new_and_genuine"](secret, given, content)


@pytest.mark.parametrize(
    ("answer", "reason", "final", "after"),
    [
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "answered 500", False, None),
        (b"HTTP/1.1 429 No\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", "answered 429", False, 120.0),
        (b"HTTP/1.1 503 No\r\nRetry-After: never\r\nContent-Length: 0\r\n\r\n", "answered 503", False, None),
        (b"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n", "answered 422", True, None),
        (b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "answered 302", False, None),
        (b"HTTP/1.1 20", "no answer: RemoteProtocolError", False, None),
        (b"", "no answer: RemoteProtocolError", False, None),
        (b"hello\r\n\r\n", "no answer: RemoteProtocolError", False, None),
    ],
)
def test_what_a_webhook_is_answered_when_it_is_not_taken(channel, receiver, answer, reason, final, after):
    receiver.answers = [answer]
    with pytest.raises(UndeliveredError) as error:
        opened(channel(), io.StringIO()).send(OPENED, "key", no_picture)
    assert (str(error.value), error.value.final, error.value.after) == (reason, final, after)
    assert len(receiver.requests) == 1


def test_an_answer_whose_body_never_ends_is_an_answer(channel, receiver):
    receiver.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhalf"]
    opened(channel(), io.StringIO()).send(OPENED, "key", no_picture)


def _drips(connection):
    for byte in b"HTTP/1.1 200 OK\r\n" * 100:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


@pytest.mark.parametrize("answer", [None, _drips], ids=["nothing", "a byte at a time"])
def test_an_answer_that_does_not_come_is_not_waited_for(channel, receiver, answer):
    receiver.answers = [answer]
    started = time.monotonic()
    with pytest.raises(UndeliveredError, match=r"no answer within 0\.3 s"):
        opened(channel(timeout_seconds=0.3), io.StringIO()).send(OPENED, "key", no_picture)
    assert time.monotonic() - started < 3


def test_nobody_listens(channel, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as once:
        monkeypatch.setenv("HOOK_URL", f"http://127.0.0.1:{once.getsockname()[1]}/{TOKEN}")
    with pytest.raises(UndeliveredError, match="no answer: ConnectError"):
        opened(channel(), io.StringIO()).send(OPENED, "key", no_picture)


def test_retry_after_is_a_number_or_a_date_and_has_a_limit():
    assert seconds_of(formatdate(1000.0, usegmt=True), 400.0) == 600.0
    assert [seconds_of(text, 0.0) for text in ("", "-5", "1e9", "9" * 400, "Thu, 99 Jan")] == [
        None, None, None, 86400.0, None,
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "nonsense", "http://", "http://[::1"])
def test_a_url_that_is_none_is_refused_and_not_shown(channel, monkeypatch, url):
    monkeypatch.setenv("HOOK_URL", f"{url}{TOKEN}" if url != "http://" else url)
    with pytest.raises(MonitorError, match="must begin with https:// or http:// and a host") as error:
        opened(channel(), io.StringIO())
    assert TOKEN not in str(error.value)


def service(monkeypatch, url) -> Channel:
    monkeypatch.setenv("APPRISE_URL", url)
    return Channel(name="team", type="apprise", url="env:APPRISE_URL")


def test_apprise_tells_a_service_with_the_picture(monkeypatch, receiver):
    channel = service(monkeypatch, f"json://127.0.0.1:{receiver.port}/{TOKEN}")
    sends = opened(channel, io.StringIO())
    sends.send(OPENED, "key", lambda: PNG)
    sends.send(CLOSED, "key", no_picture)
    first, second = receiver.bodies
    assert (first["title"], first["type"]) == (OPENED.title, "info")
    assert first["message"] == OPENED.text
    assert first["attachments"][0]["filename"] == "images.png"
    assert (second["type"], second["attachments"]) == ("success", [])


def test_apprise_says_that_a_service_did_not_take_it(monkeypatch, receiver):
    receiver.answers = [b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"]
    with pytest.raises(UndeliveredError, match="the service did not take it"):
        opened(service(monkeypatch, f"json://127.0.0.1:{receiver.port}/"), io.StringIO()).send(WORSE, "k", no_picture)


def test_apprise_does_not_know_every_url(monkeypatch):
    with pytest.raises(MonitorError, match="one that Apprise knows") as error:
        opened(service(monkeypatch, f"pigeon://{TOKEN}"), io.StringIO())
    assert TOKEN not in str(error.value)


def test_lines_of_json_go_to_the_stream():
    stream = io.StringIO()
    sends = opened(Channel(name="log", type="json_lines"), stream)
    sends.send(OPENED, "key-1", no_picture)
    sends.send(message_of_a_test(5.0), "key-2", no_picture)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["id"], first["kind"], first["facts"]["command"]) == (
        "key-1",
        "opened",
        "model-monitor report span:2 --open",
    )
    assert (second["kind"], second["at"]) == ("test", 5.0)
    stream.close()
    with pytest.raises(UndeliveredError, match="the stream cannot be written"):
        sends.send(OPENED, "key", no_picture)


@pytest.mark.parametrize("library", ["httpx", "apprise"])
def test_a_library_that_is_missing_is_said_in_a_sentence(monkeypatch, channel, library):
    monkeypatch.setitem(sys.modules, library, None)
    wanted = channel() if library == "httpx" else service(monkeypatch, "json://127.0.0.1")
    with pytest.raises(MonitorError, match=r"install `tfx-model-monitor\[live\]`"):
        opened(wanted, io.StringIO())


def test_no_address_and_no_secret_is_logged(monkeypatch, channel, receiver, caplog):
    with caplog.at_level(logging.DEBUG):
        receiver.answers = [b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"]
        for wanted in (channel(), service(monkeypatch, f"json://u:{SECRET}@127.0.0.1:{receiver.port}/{TOKEN}")):
            sends = opened(wanted, io.StringIO())
            assert not any(secret in repr(sends) for secret in (TOKEN, SECRET))
            with pytest.raises(UndeliveredError) as error:
                sends.send(OPENED, "key", no_picture)
            assert not any(secret in str(error.value) for secret in (TOKEN, SECRET))
    assert len(receiver.requests) == 2
    assert not any(secret in caplog.text for secret in (TOKEN, SECRET))


def test_texts_say_what_and_why_and_what_to_do_next():
    opened_, worse, closed = messages(site="https://monitor.example/")
    assert opened_.title == "[information] cifar10 is changed since window 2"
    assert worse.title == "[critical] cifar10 got worse: degraded at window 3"
    assert closed.title == "[critical] cifar10 is fine again"
    assert closed.text.startswith("Fine again after 2 windows, 2 h. It was degraded, first in image_sharpness")
    lines = worse.text.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["What", "Since", "How sure", "Hurts", "Next", "More", "https"]
    assert lines[3] == "Hurts: yes: accuracy estimated 0.610 (0.580 to 0.640), at least 0.860 is allowed."
    assert lines[-1] == "https://monitor.example/incidents/cifar10/2"
    assert max(len(message.text) for message in (opened_, worse, closed)) < 900
