"""Peers of gRPC that take few headers: what they take of each other they take through the proxy, with an id or not."""

from contextlib import contextmanager

import grpc
import pytest

from tests.support.grpc_server import OPTIONS, Server
from tests.support.h2_bytes import PREDICT
from tests.support.predict_messages import predict_request, predict_response
from tests.support.running_proxy import SECONDS, records, running_proxy

REQUEST, ANSWER = predict_request().SerializeToString(), predict_response().SerializeToString()
TAKEN = 4096  # bytes of headers
LIMITS = (("grpc.max_metadata_size", TAKEN), ("grpc.absolute_max_metadata_size", TAKEN))  # beyond it all is refused
ID_SIZE = len("x-request-id") + 32 + 32
SOME = 8  # bytes, by which the heads of two calls differ, as the time that is left is said in them
REFUSED = grpc.StatusCode.RESOURCE_EXHAUSTED


@contextmanager
def serving(tmp_path, *, server=(), client=()):
    """A server, a proxy before it, and a channel to each of them."""
    there = Server(options=server)
    told = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1), *client)
    with running_proxy(tmp_path / "logs", "", grpc_upstream=there.target) as proxy:
        targets = (there.target, f"127.0.0.1:{proxy.addresses.grpc}")
        with grpc.insecure_channel(targets[0], told) as bare, grpc.insecure_channel(targets[1], told) as behind:
            yield there, proxy, bare, behind
    there.server.stop(None)


def sent(channel, padding, method=PREDICT):
    """The status of a call with so many bytes of a header more, and what is behind its answer."""
    metadata = (("padding", "x" * padding), ("x-more", "1"))
    try:
        answer, call = channel.unary_unary(method).with_call(REQUEST, metadata=metadata, timeout=SECONDS)
    except grpc.RpcError as error:
        return error.code(), {}
    assert answer == ANSWER
    return call.code(), dict(call.trailing_metadata())


def most(is_taken):
    """The most bytes of a header that are taken."""
    low, high = 0, TAKEN
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_taken(middle) else (low, middle)
    return low


def test_a_server_gets_no_id_that_would_be_too_much(tmp_path):
    with serving(tmp_path, server=LIMITS) as (server, proxy, bare, behind):
        server.answers[PREDICT] = ANSWER
        room = most(lambda padding: sent(bare, padding)[0] == grpc.StatusCode.OK)
        cases = {
            room + SOME: REFUSED,
            room - SOME: None,
            room - ID_SIZE + SOME: None,
            room - ID_SIZE - SOME: "an id",
            0: "an id",
        }
        for padding, expected in cases.items():
            server.metadata.clear()
            status, behind_answer = sent(behind, padding)
            if expected is REFUSED:
                assert status == REFUSED
                continue
            assert status == grpc.StatusCode.OK
            assert ("x-request-id" in server.metadata[PREDICT]) == (expected is not None)
            assert len(behind_answer["x-request-id"]) == 32  # to the client there is room
        counters = proxy.stop()
        assert counters.no_room_for_id == 3
        assert (counters.logged, counters.to_log) == (4, 4)
        assert counters.answers["grpc", "OK"] == 4
        assert (
            len({each.predict_log.request.inputs["log/request_id"].string_val[0] for each in records(proxy.logs)}) == 4
        )
        assert "; 3 requests and answers had no room for an id" in counters.described


def test_a_client_gets_no_id_that_would_be_too_much(tmp_path):
    with serving(tmp_path, client=LIMITS) as (server, proxy, bare, behind):
        asked_for = [0]

        def answered(requests, context):
            next(requests)
            context.set_trailing_metadata((("padding", "x" * asked_for[0]),))
            return iter([ANSWER])

        def got(channel, padding):
            asked_for[0] = padding
            return sent(channel, 0)

        server.answers[PREDICT] = answered
        room = most(lambda padding: got(bare, padding)[0] == grpc.StatusCode.OK)
        assert got(behind, room + 1)[0] == REFUSED
        cases = {room: False, room - ID_SIZE + 1: False, room - ID_SIZE: True, 0: True}
        for padding, has_id in cases.items():
            status, behind_answer = got(behind, padding)
            assert status == grpc.StatusCode.OK
            assert len(behind_answer["padding"]) == padding
            assert ("x-request-id" in behind_answer) == has_id
        counters = proxy.stop()
        assert counters.no_room_for_id == 3
        assert counters.to_log == counters.logged == 5  # the server answered each well


def test_a_client_is_told_that_there_is_no_server_with_no_id_that_would_be_too_much(tmp_path):
    with running_proxy(tmp_path / "logs", "", grpc_upstream="127.0.0.1:1") as proxy:
        for taken, has_id in ((280, False), (TAKEN, True)):
            limits = (("grpc.max_metadata_size", taken), ("grpc.absolute_max_metadata_size", taken))
            told = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1), *limits)
            target = f"127.0.0.1:{proxy.addresses.grpc}"
            with grpc.insecure_channel(target, told) as channel, pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(PREDICT)(REQUEST, timeout=SECONDS)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            assert "cannot be reached" in caught.value.details()
            trailing = caught.value.trailing_metadata() or ()
            assert ("x-request-id" in dict(trailing)) == has_id
        assert proxy.stop().no_room_for_id == 1
