"""What goes through the proxy over HTTP arrives as it was sent, both ways, whatever client and server do."""

import contextlib
import random
import socket
import threading

import pytest
import requests

from tests.support.running_proxy import SECONDS, read_to_end, running_proxy, until
from tests.support.scripted_server import ScriptedServer, answer


def head_of(message: bytes) -> list[bytes]:
    return message.partition(b"\r\n\r\n")[0].split(b"\r\n")


def body_of(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


def test_a_request_and_its_answer_go_through_byte_by_byte(upstream, proxy):
    upstream.answers["/any%2Fpath"] = answer(b"\x00\xff", "X-Twice: a", "x-twice: b", "ETag: W/1", status="418 Tea")
    sent = (
        b"PUT /any%2Fpath?q=%20&q HTTP/1.1\r\nHost: there\r\nX-One:  spaced \r\nx-ONE: again\r\nContent-Length: 3\r\n"
    )
    got = proxy.talk(sent + b"Connection: close\r\n\r\n\x00\x01\xfe")
    request = upstream.requests["/any%2Fpath"][-1]
    first, *headers, own = head_of(request)
    assert first == b"PUT /any%2Fpath?q=%20&q HTTP/1.1"
    assert headers == [b"Host: there", b"X-One: spaced ", b"x-ONE: again", b"Content-Length: 3"]
    assert own.startswith(b"X-Request-Id: ")
    assert body_of(request) == b"\x00\x01\xfe"
    theirs = [b"Content-Length: 2", b"X-Twice: a", b"x-twice: b", b"ETag: W/1"]
    assert head_of(got) == [b"HTTP/1.1 418 Tea", *theirs, own, b"Connection: close"]
    assert body_of(got) == b"\x00\xff"


def test_the_client_s_id_is_kept_and_a_server_s_own_too(upstream, proxy):
    upstream.answers["/id"] = answer(b"")
    assert (
        requests.get(f"{proxy.url}/id", headers={"X-Request-Id": "mine"}, timeout=SECONDS).headers["x-request-id"]
        == "mine"
    )
    assert upstream.requests["/id"][-1].lower().count(b"x-request-id: mine") == 1
    upstream.answers["/id"] = answer(b"", "X-REQUEST-ID: the server's")
    got = requests.get(f"{proxy.url}/id", headers={"X-Request-Id": "mine"}, timeout=SECONDS)
    assert got.headers["x-request-id"] == "the server's"


def test_what_concerns_one_connection_is_not_handed_on(upstream, proxy):
    upstream.answers["/hop"] = answer(b"", "Connection: x-secret", "X-Secret: 1", "Keep-Alive: timeout=9")
    hops = {"Connection": "X-Mine, keep-alive, content-length", "X-Mine": "1", "Keep-Alive": "9", "TE": "trailers"}
    got = requests.post(f"{proxy.url}/hop", data=b"abc", headers=hops, timeout=SECONDS)
    arrived = upstream.requests["/hop"][-1].lower()
    for name in (b"connection", b"x-mine", b"keep-alive", b"te:", b"upgrade"):
        assert name not in arrived
    assert b"content-length: 3" in arrived
    assert "x-secret" not in got.headers
    assert "keep-alive" not in got.headers


def test_chunks_go_both_ways(upstream, proxy):
    parts = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n"
    upstream.answers["/chunks"] = parts
    got = requests.post(f"{proxy.url}/chunks", data=iter([b"one", b"three"]), timeout=SECONDS)
    assert got.content == b"abcdefg"
    assert got.headers["transfer-encoding"] == "chunked"
    request = upstream.requests["/chunks"][-1]
    assert request.lower().count(b"transfer-encoding: chunked") == 1
    assert body_of(request) == b"3\r\none\r\n5\r\nthree\r\n0\r\n\r\n"


def test_an_answer_of_unknown_length_ends_with_the_server_s_connection(upstream, proxy):
    def told(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")
        exchange.connection.shutdown(socket.SHUT_WR)

    upstream.answers["/until-close"] = told
    assert requests.get(f"{proxy.url}/until-close", timeout=SECONDS).content == b"all of it"
    plain = proxy.talk(b"GET /until-close HTTP/1.0\r\n\r\n")
    assert body_of(plain) == b"all of it"
    assert b"chunked" not in plain


def test_http_1_0_gets_what_it_understands(upstream, proxy):
    upstream.answers["/old"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    got = proxy.talk(b"GET /old HTTP/1.0\r\n\r\n")
    assert body_of(got) == b"hi"
    assert b"host: 127.0.0.1" in upstream.requests["/old"][-1].lower()
    upstream.answers["/old"] = answer(b"kept")
    with proxy.connect() as connection:
        for _ in range(2):
            connection.sendall(b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            got = b""
            while not got.endswith(b"kept"):
                got += connection.recv(1 << 16)
            assert b"Connection: keep-alive" in got


def test_pipelined_requests_are_answered_in_order(upstream, proxy):
    first = threading.Event()

    def slow(exchange):
        first.wait(SECONDS)
        exchange.send(answer(b"one"))

    upstream.answers |= {"/p1": slow, "/p2": answer(b"two"), "/p3": answer(b"three")}
    with proxy.connect() as connection:
        connection.sendall(
            b"GET /p1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /p2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
        )
        connection.sendall(b"GET /p3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        first.set()
        got = read_to_end(connection)
    assert [got.index(body) for body in (b"one", b"two", b"three")] == sorted(
        got.index(body) for body in (b"one", b"two", b"three")
    )
    assert got.count(b"HTTP/1.1 200") == 3
    assert body_of(upstream.requests["/p2"][-1]) == b"ab"


def test_answers_without_a_body_end_at_their_head(upstream, proxy):
    upstream.answers["/head"] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    upstream.answers["/none"] = b"HTTP/1.1 204 No Content\r\n\r\n"
    with requests.Session() as session:
        assert session.head(f"{proxy.url}/head", timeout=SECONDS).headers["content-length"] == "5"
        for _ in range(2):
            assert session.get(f"{proxy.url}/none", timeout=SECONDS).status_code == 204


def test_a_client_that_asks_first_is_told_to_go_on(upstream, proxy):
    def told(exchange):
        exchange.send(answer(b"done"))

    upstream.answers["/expect"] = told
    with proxy.connect() as connection:
        connection.sendall(b"POST /expect HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nab")
        got = connection.recv(1 << 16)
    assert b"200 OK" in got
    assert b"Expect: 100-continue" in upstream.requests["/expect"][-1]


def test_a_word_before_the_answer_is_handed_on(upstream, proxy):
    upstream.answers["/early"] = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(b"late")
    got = proxy.talk(b"GET /early HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK")
    assert got.endswith(b"late")


def test_connections_to_the_server_are_used_again(upstream, proxy):
    upstream.answers["/again"] = answer(b"x")
    ports = set()

    def told(exchange):
        ports.add(exchange.connection.getpeername()[1])
        exchange.send(answer(b"x"))

    upstream.answers["/again"] = told
    with requests.Session() as session:
        for _ in range(5):
            session.get(f"{proxy.url}/again", timeout=SECONDS)
    assert len(ports) == 1


@pytest.fixture
def silent():
    """A server that takes connections and says nothing by itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def address(listening):
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_large_bodies_stream_in_bounded_memory(silent, tmp_path):
    """A server that reads nothing keeps the client from sending, instead of the proxy from having memory."""
    body, sent = bytes(1 << 20), 0
    with running_proxy(tmp_path / "logs", address(silent)) as proxy, proxy.connect() as client:
        client.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
        server_side, _ = silent.accept()
        client.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            while sent < 256 << 20:
                sent += client.send(body)
        server_side.close()
    assert sent < 64 << 20  # what the sockets of the system hold, not what the client has


def test_no_server_there_is_said_in_one_sentence(tmp_path):
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    with running_proxy(tmp_path / "logs", f"http://127.0.0.1:{port}") as proxy:
        got = requests.post(f"{proxy.url}/v1/models/m:predict", data=b"{}", timeout=SECONDS)
        assert got.status_code == 502
        told = got.json()["error"]
        assert told.startswith(f"The model server at http://127.0.0.1:{port} cannot be reached: ")
        assert len(got.headers["x-request-id"]) == 32
        server = ScriptedServer(port)  # it is back, and so is the traffic
        server.answers["/x"] = answer(b"back")
        assert requests.get(f"{proxy.url}/x", timeout=SECONDS).content == b"back"
        server.close()
        assert proxy.stop().upstream_failures == 1


@pytest.mark.parametrize(
    "half",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
def test_half_an_answer_is_half_an_answer(upstream, proxy, half):
    def told(exchange):
        exchange.send(half)
        exchange.connection.shutdown(socket.SHUT_RDWR)

    upstream.answers["/half"] = told
    got = proxy.talk(b"GET /half HTTP/1.1\r\nHost: x\r\n\r\n")  # to the end of the connection, which comes
    assert body_of(got) == body_of(half)


@pytest.mark.parametrize(
    ("said", "told"),
    [(b"", "ended the connection before"), (b"what is this\r\n\r\n", "answered what is no HTTP/1.1"),
     (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "the transfer coding gzip, chunked is not")],
)  # fmt: skip
def test_no_answer_is_said_in_one_sentence(upstream, proxy, said, told):
    def short(exchange):
        exchange.send(said)
        exchange.connection.shutdown(socket.SHUT_RDWR)

    upstream.answers["/none-at-all"] = short
    got = requests.get(f"{proxy.url}/none-at-all", timeout=SECONDS)
    assert got.status_code == 502
    assert told in got.json()["error"]


def test_a_client_that_goes_ends_its_request(upstream, proxy):
    came = threading.Event()

    def waiting(exchange):
        came.set()
        exchange.wait_for_end()

    upstream.answers["/gone"] = waiting
    with proxy.connect() as connection:
        connection.sendall(b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
        assert came.wait(SECONDS)
    assert upstream.exchanges["/gone"].ended.wait(SECONDS)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"no http at all\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400 Bad Request"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400 Bad Request"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", b"400 Bad Request"),
        (b"CONNECT there:80 HTTP/1.1\r\nHost: there:80\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nBad Name: x\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, b"431 Request Header Fields Too Large"),
        (b"GET /" + b"x" * 70_000, b"431 Request Header Fields Too Large"),
    ],
)
def test_what_is_no_request_is_refused(upstream, proxy, sent, status):
    before = sum(map(len, upstream.requests.values()))
    got = proxy.talk(sent)
    assert head_of(got)[0] == b"HTTP/1.1 " + status
    assert b'{"error": "The ' in body_of(got)
    assert b"callback" not in got
    assert sum(map(len, upstream.requests.values())) == before


def test_a_body_shorter_than_its_length_never_was_a_request(silent, tmp_path):
    with running_proxy(tmp_path / "logs", address(silent)) as proxy:
        with proxy.connect() as client:
            client.sendall(b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome")
            server_side, _ = silent.accept()
            server_side.settimeout(30)  # a connection that is kept would never end
            got = b""
            while not got.endswith(b"some"):  # before it is there, the client is forgotten and the connection kept
                got += server_side.recv(1 << 16)
        got += read_to_end(server_side)  # up to the end of the connection, which comes with the client's
        server_side.close()
        counters = proxy.stop()
    assert body_of(got) == b"some"
    assert (counters.client_gone, counters.to_log) == (1, 0)


def test_whatever_bytes_come_the_next_client_is_answered(upstream, proxy):
    chance = random.Random(0)  # noqa: S311 - the same each time
    upstream.answers |= {"/fuzzed": answer(b"x"), "/next": answer(b"fine")}
    whole = (
        b"POST /fuzzed HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
        b"POST /fuzzed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: t\r\n\r\n",
    )
    for number in range(150):
        data = bytearray(whole[number % 2] * chance.choice((1, 2)))
        for _ in range(chance.randint(1, 4)):
            start, length = chance.randrange(len(data)), chance.randint(0, 6)
            data[start : start + length] = chance.choice((b"", b"\r\n", chance.randbytes(3), bytes(data[:length]) * 3))
        with proxy.connect() as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            read_to_end(connection)
    assert requests.get(f"{proxy.url}/next", timeout=SECONDS).content == b"fine"


def test_a_chunk_that_is_none_ends_its_request(upstream, proxy):
    ended = len(upstream.exchanges)
    got = proxy.talk(b"POST /never HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
    assert head_of(got)[0] == b"HTTP/1.1 400 Bad Request"
    assert len(upstream.exchanges) == ended  # it never was a whole request


def test_a_refusal_comes_after_the_answers_before_it(upstream, proxy):
    upstream.answers["/fine"] = answer(b"fine")
    got = proxy.talk(b"GET /fine HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")
    assert got.index(b"fine") < got.index(b"400 Bad Request")


def test_a_broken_request_behind_another_keeps_that_from_nothing(upstream, proxy):
    """The second of two pipelined requests turns out to be none while the first is being answered."""
    came, go = threading.Event(), threading.Event()

    def slow(exchange):
        came.set()
        go.wait(SECONDS)
        exchange.send(answer(b"first"))

    upstream.answers["/first"] = slow
    with proxy.connect() as connection:
        connection.sendall(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
        assert came.wait(SECONDS)
        connection.sendall(b"POST /second HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        until(lambda: proxy.metrics()["refused_total"] > 0)
        go.set()
        got = read_to_end(connection)
    assert got.index(b"first") < got.index(b"400 Bad Request")
    assert got.count(b"HTTP/1.1 ") == 2
    assert "/second" not in upstream.requests


def test_an_upgrade_is_not_handed_on(upstream, proxy):
    upstream.answers["/ws"] = answer(b"plain")
    got = proxy.talk(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert got.endswith(b"plain")
    assert b"upgrade" not in upstream.requests["/ws"][-1].lower()


def test_an_answer_before_the_request_is_whole_is_the_last_of_its_connection(silent, tmp_path):
    with running_proxy(tmp_path / "logs", address(silent)) as proxy, proxy.connect() as client:
        client.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome")
        server_side, _ = silent.accept()
        server_side.recv(1 << 16)
        server_side.sendall(answer(b"enough", status="413 Too Large"))
        got = read_to_end(client)
        server_side.close()
    assert head_of(got)[0] == b"HTTP/1.1 413 Too Large"
    assert got.endswith(b"enough")
    assert b"Connection: close" in got


def test_counts_are_metrics(upstream, proxy):
    upstream.answers["/counted"] = answer(b"", status="404 Not Found")
    before = proxy.metrics().get('requests_total{protocol="rest",status="404"}', 0.0)
    requests.get(f"{proxy.url}/counted", timeout=SECONDS)
    wanted = before + 1
    assert until(lambda: proxy.metrics()['requests_total{protocol="rest",status="404"}'] == wanted)
