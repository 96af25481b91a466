"""Connections of real clients and servers of gRPC through the proxy: streams, sizes, ends, and its own end."""

import asyncio
import concurrent.futures
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import grpc
import pytest

from model_monitor.serving.proxy.taken import Limits
from tests.support.grpc_server import OPTIONS, Server
from tests.support.h2_bytes import GOAWAY, PREDICT, PREFACE, RST_STREAM, SETTINGS, asked, frame, frames, headers
from tests.support.predict_messages import predict_request, predict_response
from tests.support.running_proxy import SECONDS, records, running_proxy, until

REQUEST, ANSWER = predict_request().SerializeToString(), predict_response().SerializeToString()


@pytest.fixture(scope="module")
def server():
    server = Server()
    server.answers[PREDICT] = ANSWER
    yield server
    server.server.stop(None)


@pytest.fixture
def proxy(server, tmp_path):
    with running_proxy(
        tmp_path / "logs", "", grpc_upstream=server.target, limits=Limits(body_bytes=8 << 20)
    ) as running:
        yield running


@pytest.fixture
def channel(proxy):
    with grpc.insecure_channel(f"127.0.0.1:{proxy.addresses.grpc}", options=OPTIONS) as channel:
        yield channel


def names(proxy):
    """The ids in the log, of a proxy that is stopped."""
    found = [log.predict_log.request.inputs["log/request_id"].string_val[0].decode() for log in records(proxy.logs)]
    return sorted(found)


def test_the_user_agent_is_the_client_s(server, channel):
    channel.unary_unary(PREDICT)(REQUEST, timeout=SECONDS)
    agent = server.metadata[PREDICT]["user-agent"]
    assert agent.startswith("grpc-python/")
    assert agent.count("grpc-python") == 1


@pytest.mark.parametrize("size", [1, 100_000, 6 << 20])
def test_messages_of_any_size_go_both_ways(server, channel, size):
    method, sent = "/any.Service/Echo", os.urandom(size)
    server.answers[method] = lambda requests, context: iter([next(requests)])
    assert channel.unary_unary(method)(sent, timeout=SECONDS) == sent


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_calls_are_logged_as_others(server, proxy, channel, compression):
    def told(requests, context):
        assert next(requests) == REQUEST
        context.set_compression(compression)
        return iter([ANSWER])

    server.answers[PREDICT], before = told, server.answers[PREDICT]
    request = predict_request()
    request.inputs["padding"].string_val.append(bytes(100_000))  # so that compressing is worth it
    plain, packed = REQUEST, request.SerializeToString()
    server.answers[PREDICT] = lambda requests, context: (
        iter([ANSWER]) if next(requests) in (plain, packed) else iter([])
    )
    try:
        for name, sent in (("plain", plain), ("packed", packed)):
            call = channel.unary_unary(PREDICT)
            metadata = (("x-request-id", name),)
            got = call(sent, compression=compression, metadata=metadata, timeout=SECONDS)
            assert got == ANSWER
    finally:
        server.answers[PREDICT] = before
    counters = proxy.stop()
    assert (counters.logged, counters.lost["unreadable"]) == (2, 0)
    assert names(proxy) == ["packed", "plain"]
    (log,) = (each for each in records(proxy.logs) if "padding" in each.predict_log.request.inputs)
    assert log.predict_log.request.inputs["padding"].string_val[0] == bytes(100_000)


def test_a_hundred_calls_at_once_on_a_connection(proxy):
    async def ask():
        options = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{proxy.addresses.grpc}", options=options) as channel:
            call = channel.unary_unary(PREDICT)
            calls = [call(REQUEST, metadata=(("x-request-id", f"{n:03}"),), timeout=SECONDS) for n in range(100)]
            return await asyncio.gather(*calls)

    assert asyncio.run(ask()) == [ANSWER] * 100
    counters = proxy.stop()
    assert counters.answers["grpc", "OK"] == 100
    assert names(proxy) == [f"{n:03}" for n in range(100)]


def test_a_stream_goes_both_ways_message_by_message(server, channel):
    def doubled(requests, context):
        for request in requests:
            yield request * 2

    server.answers["/any.Service/Talk"] = doubled
    said, heard = [b"a", b"b" * 70_000, b"c"], []
    ready = threading.Semaphore(1)

    def talk():
        for word in said:
            assert ready.acquire(timeout=SECONDS)  # the answer to the one before is there
            yield word

    for answer in channel.stream_stream("/any.Service/Talk")(talk(), timeout=SECONDS):
        heard.append(answer)
        ready.release()
    assert heard == [word * 2 for word in said]


def test_a_stream_that_is_refused_at_once_says_the_server_s_status(server, channel):
    def told(requests, context):
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you")

    server.answers["/any.Service/Refused"] = told
    for _ in range(20):
        with pytest.raises(grpc.RpcError) as caught:
            list(channel.stream_stream("/any.Service/Refused")(iter([bytes(1000)] * 3), timeout=SECONDS))
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.PERMISSION_DENIED, "not you")


def test_who_does_not_read_a_stream_holds_the_server_back(server, channel):
    sent = 0

    def flood(requests, context):
        nonlocal sent
        for _ in range(400):
            sent += 1
            yield bytes(1 << 18)

    server.answers["/any.Service/Flood"] = flood
    call = channel.stream_stream("/any.Service/Flood")(iter([b""]), timeout=SECONDS)
    next(call)
    until(lambda: (before := sent, time.sleep(0.3)) and sent == before)
    assert sent < 200  # flow control is between the two ends
    assert sum(1 for _ in call) == 399


def test_a_server_that_starts_again_is_found_again(tmp_path):
    first = Server()
    first.answers[PREDICT] = ANSWER
    with running_proxy(tmp_path / "logs", "", grpc_upstream=first.target) as proxy:
        with grpc.insecure_channel(f"127.0.0.1:{proxy.addresses.grpc}", options=OPTIONS) as channel:
            call = channel.unary_unary(PREDICT)
            assert call(REQUEST, timeout=SECONDS) == ANSWER
            came, ended = threading.Event(), threading.Event()

            def slow(requests, context):
                came.set()
                ended.wait(SECONDS)
                return iter([])

            first.answers["/any.Service/Slow"] = slow
            under_way = channel.unary_unary("/any.Service/Slow").future(b"", timeout=SECONDS)
            assert came.wait(SECONDS)
            stopped = first.server.stop(0)
            assert under_way.exception(SECONDS).code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
            ended.set()
            stopped.wait(SECONDS)
            with pytest.raises(grpc.RpcError) as caught:
                call(REQUEST, timeout=SECONDS)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            again = Server(first.port)
            again.answers[PREDICT] = ANSWER

            def answered():
                try:
                    return call(REQUEST, timeout=SECONDS)
                except grpc.RpcError:
                    return None

            assert until(answered) == ANSWER
            again.server.stop(None)
        assert proxy.stop().logged == 2


def test_calls_without_a_server_are_each_told_and_counted(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running_proxy(tmp_path / "logs", "", grpc_upstream=f"127.0.0.1:{port}") as proxy:
        target = f"127.0.0.1:{proxy.addresses.grpc}"
        with (
            grpc.insecure_channel(target, options=OPTIONS) as channel,
            concurrent.futures.ThreadPoolExecutor(20) as pool,
        ):

            def ask(number):
                metadata = (("x-request-id", f"{number}"),)
                with pytest.raises(grpc.RpcError) as caught:
                    channel.unary_unary(PREDICT)(bytes(500_000), metadata=metadata, timeout=SECONDS)
                trailing = dict(caught.value.trailing_metadata() or ())
                return caught.value.code(), caught.value.details(), trailing.get("x-request-id")

            found = list(pool.map(ask, range(20)))
        counters = proxy.stop()
    assert {code for code, _, _ in found} == {grpc.StatusCode.UNAVAILABLE}
    told = [name for _, details, name in found if "cannot be reached: Connection refused" in details]
    assert len(told) == 20, found
    assert found[3][2] == "3"
    assert counters.answers["grpc", "UNAVAILABLE"] == counters.upstream_failures >= 20


def test_a_name_that_is_no_host_is_said(tmp_path):
    with (
        running_proxy(tmp_path / "logs", "", grpc_upstream="a..b:80") as proxy,
        grpc.insecure_channel(f"127.0.0.1:{proxy.addresses.grpc}", options=OPTIONS) as channel,
    ):
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(PREDICT)(REQUEST, timeout=SECONDS)
        assert caught.value.details().startswith("The model server at a..b:80 cannot be reached: ")


CLIENT = """
import grpc, sys
channel = grpc.insecure_channel(sys.argv[1])
def endless():
    print("began", flush=True)
    yield bytes(3 << 20)
    import time; time.sleep(100)
list(channel.stream_stream(sys.argv[2])(endless()))
"""


def test_a_client_that_is_killed_ends_its_call_at_the_server(server, proxy):
    came, ended = threading.Event(), threading.Event()

    def told(requests, context):
        context.add_callback(ended.set)
        came.set()
        list(requests)
        return iter([])

    server.answers[PREDICT], before = told, server.answers[PREDICT]
    client = subprocess.Popen([sys.executable, "-c", CLIENT, f"127.0.0.1:{proxy.addresses.grpc}", PREDICT])
    try:
        assert came.wait(SECONDS)
    finally:
        client.send_signal(signal.SIGKILL)
        client.wait()
    assert ended.wait(SECONDS)
    server.answers[PREDICT] = before
    counters = proxy.stop()
    assert (counters.client_gone, counters.to_log, dict(counters.answers)) == (1, 0, {("grpc", "CANCELLED"): 1})


def connected(proxy):
    return socket.create_connection(("127.0.0.1", proxy.addresses.grpc), timeout=SECONDS)


def test_what_is_no_http2_is_the_server_s_to_end(proxy):
    with connected(proxy) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while connection.recv(1 << 16):
            pass
    assert proxy.stop().lost["unreadable"] == 1


def test_a_client_that_says_nothing_keeps_nobody_from_ending(proxy, channel):
    with connected(proxy), connected(proxy) as other:
        other.sendall(PREFACE[:10])
        assert channel.unary_unary(PREDICT)(REQUEST, timeout=SECONDS) == ANSWER
        began = time.monotonic()
        proxy.stop()
        assert time.monotonic() - began < SECONDS / 2


def test_the_end_of_the_proxy_answers_what_is_under_way(server, proxy, channel):
    came, go = threading.Event(), threading.Event()

    def slow(requests, context):
        next(requests)
        came.set()
        go.wait(SECONDS)
        return iter([ANSWER])

    server.answers[PREDICT], before = slow, server.answers[PREDICT]
    under_way = channel.unary_unary(PREDICT).future(REQUEST, metadata=(("x-request-id", "last"),), timeout=SECONDS)
    assert came.wait(SECONDS)
    stopping = threading.Thread(target=proxy.stop)
    stopping.start()

    def refused():
        try:
            connected(proxy).close()
        except ConnectionRefusedError:
            return True
        return False

    until(refused)
    assert not under_way.done()
    go.set()
    assert under_way.result(SECONDS) == ANSWER
    stopping.join(SECONDS)
    server.answers[PREDICT] = before
    assert (proxy.counters.logged, proxy.counters.upstream_failures) == (1, 0)
    assert names(proxy) == ["last"]


def test_what_is_not_answered_within_the_time_is_given_up(server, tmp_path):
    came, go = threading.Event(), threading.Event()

    def slow(requests, context):
        came.set()
        go.wait(SECONDS)
        return iter([])

    server.answers["/any.Service/Never"] = slow
    with (
        running_proxy(tmp_path / "logs", "", grpc_upstream=server.target, grace_seconds=1.0) as proxy,
        grpc.insecure_channel(f"127.0.0.1:{proxy.addresses.grpc}", options=OPTIONS) as channel,
    ):
        under_way = channel.unary_unary("/any.Service/Never").future(b"", timeout=SECONDS)
        assert came.wait(SECONDS)
        counters = proxy.stop()
        assert under_way.exception(SECONDS).code() is grpc.StatusCode.UNAVAILABLE
    go.set()
    assert (counters.answers["grpc", "UNAVAILABLE"], counters.client_gone) == (1, 0)


def test_a_refusal_is_http2(tmp_path):
    import hpack

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running_proxy(tmp_path / "logs", "", grpc_upstream=f"127.0.0.1:{port}") as proxy:
        with connected(proxy) as connection:
            block = headers(hpack.Encoder(), 1, asked("/any.Service/Any"), parts=2)
            connection.sendall(PREFACE + frame(SETTINGS) + block)
            came = b""
            while part := connection.recv(1 << 16):
                came += part
        kinds = [(kind, flags, stream) for kind, flags, stream, _ in frames(came)]
        assert kinds == [(SETTINGS, 0, 0), (SETTINGS, 1, 0), (1, 5, 1), (RST_STREAM, 0, 1), (GOAWAY, 0, 0)]
        assert frames(came)[-1][3] == struct.pack(">II", 1, 0)
        told = dict(hpack.Decoder().decode(frames(came)[2][3]))
        assert (told[":status"], told["grpc-status"]) == ("200", "14")
        with connected(proxy) as connection:
            connection.sendall(b"not HTTP/2 at all, whatever it may be")
            while connection.recv(1 << 16):
                pass
