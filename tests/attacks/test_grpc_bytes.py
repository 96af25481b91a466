"""Attacks on what the proxy passes on over gRPC: any bytes, cut anywhere, and sides that take none."""

import contextlib
import random
import socket
import threading
import time

import grpc
import pytest

from tests.support.grpc_server import OPTIONS, Server
from tests.support.h2_bytes import PREDICT, PREFACE, SETTINGS, asked, conversation, data, frame, headers
from tests.support.predict_messages import predict_request, predict_response
from tests.support.raw_server import RawServer
from tests.support.running_proxy import SECONDS, ids, read_to_end, running_proxy, until

pytestmark = pytest.mark.long

_REQUEST, _ANSWER = predict_request().SerializeToString(), predict_response().SerializeToString()
_BUFFERED = 48 << 20  # bytes: more than the system keeps for the two connections, and the proxy for itself


def _connected(proxy):
    return socket.create_connection(("127.0.0.1", proxy.addresses.grpc), timeout=SECONDS)


def _attacked(chance, seed):
    """Both directions of a connection: as they should be, cut, or garbage, which has ids, so that no byte changes."""
    up, down, _ = conversation(seed, calls=5, ids=True)
    kind = seed % 4
    if kind == 1:
        return up[: chance.randrange(len(up))], down[: chance.randrange(len(down))]
    if kind == 2:
        return chance.randbytes(chance.randrange(1, 3000)), chance.randbytes(chance.randrange(1, 3000))
    if kind == 3:
        at = chance.randrange(len(PREFACE), len(up))
        return up[:at] + chance.randbytes(300), down[: chance.randrange(len(down))] + chance.randbytes(300)
    return up, down


def test_any_bytes_arrive_as_they_were_sent(tries, report, tmp_path):
    chance, number, held = random.Random(2), tries(60, 4_000), 0  # noqa: S311 - the same each time
    server = RawServer()
    with running_proxy(tmp_path / "logs", "", grpc_upstream=server.target) as proxy:
        for seed in range(number):
            up, down = _attacked(chance, seed)
            server.answers.put(down)
            with _connected(proxy) as connection:
                at = 0
                while at < len(up):
                    part = chance.choice((1, 9, 100, 5000, 100_000))
                    connection.sendall(up[at : at + part])
                    at += part
                connection.shutdown(socket.SHUT_WR)
                back = read_to_end(connection)
            held += (server.came.get(timeout=SECONDS), back) == (up, down)
        counters = proxy.stop()
    server.close()
    report("grpc_bytes: connections of any bytes", number, held)
    assert counters.pending == 0


@pytest.mark.parametrize("which", ["server", "client"])
def test_a_side_that_takes_nothing_stops_the_other(which, report, tmp_path):
    """Neither can make the proxy keep what it does not take."""
    server = RawServer(reads=False)
    with running_proxy(tmp_path / "logs", "", grpc_upstream=server.target) as proxy, _connected(proxy) as client:
        import hpack

        client.sendall(PREFACE + frame(SETTINGS) + headers(hpack.Encoder(), 1, asked("/any/Method")))
        (stalled,) = until(lambda: server._kept)
        sending = client if which == "server" else stalled
        sending.setblocking(False)
        content, sent, idle = data(1, bytes(16384)) * 64, 0, 0
        left = memoryview(content)
        while idle < 40 and sent < 4 * _BUFFERED:
            try:
                size = sending.send(left)
            except BlockingIOError:
                idle += 1
                with contextlib.suppress(AssertionError):
                    until(lambda: False, seconds=0.02)
                continue
            idle, sent = 0, sent + size
            left = left[size:] or memoryview(content)
        report(f"grpc_bytes: a {which} that takes nothing", 1, int(sent < _BUFFERED))
    server.close()


def test_connections_that_say_nothing_or_nonsense_keep_no_one_waiting(tries, report, tmp_path):
    number = tries(100, 400)
    chance = random.Random(3)  # noqa: S311 - the same each time
    server = Server()
    server.answers[PREDICT] = b"told"
    with running_proxy(tmp_path / "logs", "", grpc_upstream=server.target) as proxy, contextlib.ExitStack() as stack:
        for at in range(number):
            connection = stack.enter_context(_connected(proxy))
            said = (b"", PREFACE[: at % 25], PREFACE + chance.randbytes(50), b"GET / HTTP/1.1\r\n\r\n")[at % 4]
            with contextlib.suppress(ConnectionError):
                connection.sendall(said)
        with grpc.insecure_channel(f"127.0.0.1:{proxy.addresses.grpc}", options=OPTIONS) as channel:
            held = sum(channel.unary_unary(PREDICT)(b"asked", timeout=SECONDS) == b"told" for _ in range(20))
        report("grpc_bytes: calls beside connections that say nothing", 20, held)
    server.server.stop(None)


def _ask(port, worker, answered, refused):
    """Asks until there is no answer, which has to be that of a server that has gone."""
    options = (*OPTIONS, ("grpc.channel_id", worker))
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        call, number = channel.unary_unary(PREDICT), 0
        while True:
            name, number = f"{worker}-{number}", number + 1
            try:
                call(_REQUEST, metadata=(("x-request-id", name),), timeout=SECONDS)
            except grpc.RpcError as error:
                refused.append(error.code())
                return
            answered.append(name)


def test_the_end_of_a_proxy_under_load_loses_no_answer(tries, report, tmp_path):
    chance, number, held = random.Random(4), tries(3, 60), 0  # noqa: S311 - the same each time
    server = Server()
    server.answers[PREDICT] = _ANSWER
    for attempt in range(number):
        answered, refused = [], []
        with running_proxy(tmp_path / f"logs-{attempt}", "", grpc_upstream=server.target) as proxy:
            arguments = [(proxy.addresses.grpc, worker, answered, refused) for worker in range(6)]
            workers = [threading.Thread(target=_ask, args=each) for each in arguments]
            for worker in workers:
                worker.start()
            until(lambda answered=answered: len(answered) > 20)
            time.sleep(chance.random() / 5)
            counters = proxy.stop()
            for worker in workers:
                worker.join(SECONDS)
        logged = ids(tmp_path / f"logs-{attempt}")
        well = (counters.upstream_failures, counters.client_gone, counters.pending) == (0, 0, 0)
        well &= set(refused) == {grpc.StatusCode.UNAVAILABLE}
        held += well and logged == dict.fromkeys(answered, 1)
    server.server.stop(None)
    report("grpc_bytes: ends under load", number, held)
