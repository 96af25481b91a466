"""What the proxy reads from the bytes of a connection over gRPC, and what it hands on: bytes alone, no connection."""

import random
import struct

import hpack
import pytest

from model_monitor.serving.proxy.counters import Counters
from model_monitor.serving.proxy.grpc_calls import Calls
from model_monitor.serving.proxy.h2_headers import literal
from model_monitor.serving.proxy.taken import Budget, Limits, Log, Sampler
from tests.support.h2_bytes import (
    ANSWERED,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREDICT,
    PREFACE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    asked,
    conversation,
    data,
    frame,
    frames,
    headers,
    message,
    read,
)


class Tapped:
    """A connection that is read, its two directions, and what came of it."""

    def __init__(self, limits=Limits(), sampling=1.0, client_header=""):  # noqa: B008 - it is frozen
        self.counters, self.records, self.warnings = Counters(), [], []
        self.budget = Budget(limits.queue_bytes)
        log = Log(limits, self.budget, Sampler(sampling), self.counters, client_header)
        self.calls = Calls(log, self.records.append, self.warnings.append)

    def up(self, sent, size=None):
        return fed(self.calls.up, sent, size)

    def down(self, sent, size=None):
        return fed(self.calls.down, sent, size)

    @property
    def logged(self):
        return {each.words["id"].encode(): (b"".join(each.request), b"".join(each.response)) for each in self.records}


def fed(direction, sent, size=None):
    """What goes on of `sent`, which comes in parts of this size, or in parts of any."""
    out, at = b"", 0
    while at < len(sent):
        part = size(at) if callable(size) else size or len(sent)
        out += b"".join(direction.feed(sent[at : at + part]))
        at += part
    return out


def without_ids(frames_read):
    """What was read, without the header that the proxy adds; and how many it added."""
    found, ids = [], []
    for kind, flags, stream, payload in frames_read:
        if kind == HEADERS:
            ids += [value for name, value in payload if name == b"x-request-id"]
            found.append((kind, flags, stream, [each for each in payload if each[0] != b"x-request-id"]))
        else:
            found.append((kind, flags, stream, payload))
    return found, ids


@pytest.mark.parametrize("seed", range(6))
def test_bytes_are_handed_on_as_they_are_where_ids_are_there_however_they_come(seed):
    up, down, logged = conversation(seed, ids=True)
    chance = random.Random(seed)  # noqa: S311 - the same each time
    for size in (None, 1, lambda at: chance.randint(1, 50), lambda at: chance.randint(1, 40_000)):
        tapped = Tapped()
        assert tapped.up(up, size) == up
        assert tapped.down(down, size) == down
        assert tapped.logged == logged
        assert (tapped.counters.answers["grpc", "OK"], tapped.counters.to_log) == (8, len(logged))
        assert not tapped.warnings
        assert not tapped.calls.open


@pytest.mark.parametrize("seed", range(6))
def test_what_lacks_an_id_is_given_one_and_nothing_else_changes(seed):
    up, down, logged = conversation(seed)
    chance = random.Random(seed)  # noqa: S311 - the same each time
    for size in (None, 1, lambda at: chance.randint(1, 300)):
        tapped = Tapped()
        sent_up, ids_up = without_ids(read(tapped.up(up, size)))
        sent_down, ids_down = without_ids(read(tapped.down(down, size)))
        assert sent_up == without_ids(read(up))[0]
        assert sent_down == read(down)
        assert len(ids_up) == 8
        assert sorted(ids_down) == sorted(ids_up)
        assert tapped.logged == logged


def test_every_cut_of_a_connection_arrives_as_it_was_sent():
    up, down, _ = conversation(3, calls=3, ids=True)
    for sent, which in ((up, "up"), (down, "down")):
        for cut in (*range(1500), *range(1500, len(sent), 41)):
            tapped = Tapped()
            if which == "down":
                tapped.up(up)
            direction = getattr(tapped.calls, which)
            assert b"".join(direction.feed(sent[:cut])) + direction.rest() == sent[:cut]
            assert not tapped.warnings


@pytest.mark.parametrize("seed", range(30))
def test_garbage_goes_on_byte_for_byte(seed):
    chance = random.Random(seed)  # noqa: S311 - the same each time
    up, down, _ = conversation(seed, calls=4, ids=True)
    damaged = bytearray(up)
    for _ in range(chance.randint(1, 20)):
        damaged[chance.randrange(24, len(damaged))] = chance.randrange(256)
    for sent in (bytes(damaged), PREFACE + chance.randbytes(5000), chance.randbytes(300), b"GET / HTTP/1.1\r\n\r\n"):
        tapped = Tapped()
        came = tapped.up(sent, lambda at: chance.randint(1, 500))
        came += tapped.calls.up.rest()
        if tapped.warnings:  # what was read until then may have got an id, where damage took one
            assert len(came) >= len(sent)
            assert came.endswith(sent[-9:])
        if sent != bytes(damaged):
            assert came == sent
        assert (
            without_ids(read(tapped.down(down, 100)))[0] == without_ids(read(down))[0]
        )  # the server's are not damaged
        counters = tapped.counters
        assert counters.to_log == len(tapped.records) + sum(counters.lost.values())


def greeted(**settings):
    tapped = Tapped(**settings)
    assert tapped.up(PREFACE + frame(SETTINGS)) == PREFACE + frame(SETTINGS)
    tapped.down(frame(SETTINGS))
    return tapped


def lost_after(tapped, sent):
    """That what was sent cannot be read, went on as it was, and so does what comes."""
    assert tapped.up(sent) == sent
    assert tapped.calls.is_lost
    assert len(tapped.warnings) == 1
    assert len(tapped.warnings[0]) <= 200
    later = headers(hpack.Encoder(), 99, asked())
    assert (tapped.up(later), tapped.down(later)) == (later, later)
    assert (tapped.counters.to_log, tapped.counters.lost["unreadable"]) == (1, 1)


def test_a_bomb_of_references_is_not_unpacked():
    encoder = hpack.Encoder()
    bomb = encoder.encode([("x", "v" * 3000)]) + b"\xbe" * 15_000
    tapped = greeted()
    lost_after(tapped, frame(HEADERS, END_HEADERS, 1, bomb))
    assert "OversizedHeaderList" in tapped.warnings[0]


@pytest.mark.parametrize("size", [0, 100, 16_000])
def test_endless_continuation_is_bounded(size):
    tapped = greeted()
    tapped.up(frame(HEADERS, 0, 1, b""))
    sent = 0
    while not tapped.calls.is_lost:
        part = frame(CONTINUATION, 0, 1, b"\x82" * size)
        assert tapped.up(part) == part
        sent += len(part)
        assert sent < 100_000
    assert tapped.counters.lost["unreadable"] == 1


def test_a_large_table_is_followed_up_to_a_bound():
    tapped, encoder = greeted(), hpack.Encoder()
    tapped.down(frame(SETTINGS, 0, 0, struct.pack(">HI", 1, 1 << 16)))
    encoder.header_table_size = 1 << 16
    fields = [(f"name-{number}", "v" * 100) for number in range(300)]
    for stream in (1, 3):
        block = headers(encoder, stream, asked(PREDICT, ("x-request-id", "given"), *fields), parts=3)
        assert tapped.up(block) == block
    assert len(tapped.calls.open) == 2
    encoder.header_table_size = 1 << 30
    sent = headers(encoder, 5, asked())
    assert tapped.up(sent) == sent
    assert tapped.calls.is_lost
    assert tapped.counters.lost["unreadable"] == 2  # the two under way


def test_a_table_that_changes_is_not_taken_for_an_earlier_one():
    """Blocks are known again by their bytes, whose meaning is that of the table they refer to."""
    tapped, encoder = greeted(client_header="who"), hpack.Encoder()
    encoder.header_table_size = 200  # room for few headers: entries go and come, and references mean others
    plain = hpack.Decoder()
    chance = random.Random(1)  # noqa: S311 - the same each time
    for stream in range(1, 801, 2):
        if chance.random() < 0.05:
            encoder.header_table_size = chance.choice((0, 100, 200, 4096))
        name = f"n{chance.randint(0, 3)}"
        fields = [(":path", PREDICT), ("who", name), ("x-request-id", name)]
        encoded = encoder.encode(fields)
        assert [tuple(map(bytes.decode, each)) for each in plain.decode(encoded, raw=True)] == fields
        tapped.up(frame(HEADERS, END_HEADERS, stream, encoded))
        assert tapped.calls.open[stream].request_id == name.encode()


@pytest.mark.parametrize(
    "sent",
    [
        frame(HEADERS, END_HEADERS | PADDED, 1, b"\x05\x82"),
        frame(HEADERS, END_HEADERS | PADDED, 1, b""),
        frame(DATA, PADDED, 1, b"\x09abc"),
        frame(CONTINUATION, END_HEADERS, 1, b"\x82"),
        frame(HEADERS, 0, 1, b"\x82") + frame(CONTINUATION, END_HEADERS, 3, b"\x82"),
        frame(HEADERS, 0, 1, b"\x82") + frame(HEADERS, END_HEADERS, 3, b"\x82"),
        frame(HEADERS, END_HEADERS, 0, b"\x82" + b"\xff"),
        frame(HEADERS, END_HEADERS, 1, b"\xff" * 60_000),
        frame(HEADERS, END_HEADERS, 1, bytes(70_000)),
        frame(PING, 0, 0, bytes(70_000)),
    ],
)
def test_what_is_no_http2_goes_on(sent):
    lost_after(greeted(), sent)


def test_an_id_goes_into_a_frame_of_its_own_where_there_is_no_room():
    tapped, encoder = greeted(), hpack.Encoder()
    encoded = encoder.encode(asked())
    encoded += literal(b"x", b"v" * (16384 - len(encoded) - 6))
    assert len(encoded) == 16384
    came = tapped.up(frame(HEADERS, END_HEADERS | END_STREAM, 1, encoded))
    assert [(kind, flags, len(payload)) for kind, flags, _, payload in frames(came)] == [
        (HEADERS, END_STREAM, 16384), (CONTINUATION, END_HEADERS, 47)
    ]  # fmt: skip
    assert dict(read(came)[0][3])[b"x-request-id"] == tapped.calls.open[1].request_id


@pytest.mark.parametrize("length", [1, 126, 127, 128, 256])
def test_a_literal_is_as_hpack_has_it(length):
    decoder = hpack.Decoder()
    ((name, value),) = decoder.decode(literal(b"n" * length, b"v" * length), raw=True)
    assert (name, value) == (b"n" * length, b"v" * length)
    assert not decoder.header_table.dynamic_entries


def call(
    tapped, *, path=PREDICT, content=b"\0\0\0\0\5asked", answer=b"\0\0\0\0\4told", status="0", up=(), down=(), stream=1
):
    """One call, with encoders that know nothing of earlier ones; gives what arrived on both sides."""
    block = hpack.Encoder().encode(asked(path, *up))
    came = tapped.up(frame(HEADERS, END_HEADERS, stream, block) + data(stream, content, ends=True))
    encoder = hpack.Encoder()
    back = headers(encoder, stream, [*ANSWERED, *down]) + data(stream, answer)
    back += headers(encoder, stream, [("grpc-status", status)], ends=True)
    return came, tapped.down(back)


def test_one_message_each_way_is_logged_and_others_are_not():
    for settings, given, wanted in (
        ({}, {}, {"logged": 1}),
        ({}, {"path": "/tensorflow.serving.PredictionService/Classify"}, {"logged": 1}),
        ({}, {"path": "/inference.GRPCInferenceService/ModelInfer"}, {"logged": 1}),
        ({}, {"path": "/tensorflow.serving.PredictionService/Regress"}, {}),
        ({}, {"status": "5"}, {}),
        ({}, {"content": message(b"a") + message(b"b")}, {}),
        ({}, {"answer": message(b"a") + message(b"b")}, {}),
        ({}, {"answer": b""}, {}),
        ({}, {"content": message(b"half")[:-1]}, {}),
        ({"sampling": 1e-9}, {}, {"sampled_out": 1}),
        ({"limits": Limits(body_bytes=4)}, {}, {"too_large": 1}),
        ({"limits": Limits(queue_bytes=4)}, {}, {"queue_full": 1}),
    ):
        tapped = greeted(**settings)
        call(tapped, **given)
        lost = {name: count for name, count in tapped.counters.lost.items() if count}
        assert lost | ({"logged": len(tapped.records)} if tapped.records else {}) == wanted, given
        assert tapped.counters.to_log == sum(wanted.values())
        assert tapped.counters.answers["grpc", "OK" if given.get("status", "0") == "0" else "NOT_FOUND"] == 1
        kept = sum(each.size for each in tapped.records)
        assert tapped.budget._used == kept


def test_how_a_message_is_compressed_is_known_to_the_log():
    tapped = greeted()
    call(tapped, content=message(b"packed", 1), up=[("grpc-encoding", "gzip")], down=[("grpc-encoding", "deflate")])
    call(
        tapped,
        answer=message(b"packed", 1),
        up=[("grpc-encoding", "gzip")],
        down=[("grpc-encoding", "deflate")],
        stream=3,
    )
    words = [(each.words["request_coding"], each.words["response_coding"]) for each in tapped.records]
    assert words == [("gzip", ""), ("", "deflate")]


def test_resets_are_told_apart():
    tapped, encoder = greeted(), hpack.Encoder()
    for stream in range(1, 11, 2):
        tapped.up(headers(encoder, stream, asked()) + data(stream, message(b"x"), ends=True))
    tapped.up(frame(RST_STREAM, 0, 1, struct.pack(">I", 8)))
    for stream, code in ((3, 8), (5, 7), (7, 2)):
        tapped.down(frame(RST_STREAM, 0, stream, struct.pack(">I", code)))
    tapped.calls.close(by_client=False)
    answers = {status: count for (_, status), count in tapped.counters.answers.items()}
    assert answers == {"CANCELLED": 2, "UNAVAILABLE": 2, "INTERNAL": 1}
    assert (tapped.counters.client_gone, tapped.counters.upstream_failures) == (1, 3)
    assert (tapped.counters.to_log, tapped.budget._used) == (0, 0)


def test_promises_and_trailers_of_clients_are_read_too():
    tapped, up, down = greeted(), hpack.Encoder(), hpack.Encoder()
    tapped.up(headers(up, 1, asked(PREDICT, ("x-request-id", "one"))) + data(1, message(b"x")))
    trailers = headers(up, 1, [("of-the-client", "1")], ends=True)
    assert tapped.up(trailers) == trailers
    encoded = struct.pack(">I", 2) + down.encode([(":path", "/pushed"), ("x-pushed", "1")])
    promise = frame(PUSH_PROMISE, END_HEADERS, 1, encoded)
    assert tapped.down(promise) == promise
    tapped.down(headers(down, 1, [*ANSWERED, ("x-pushed", "1")]) + data(1, message(b"y")))
    came = tapped.down(headers(down, 1, [("grpc-status", "0")], ends=True))
    assert came.endswith(literal(b"x-request-id", b"one"))
    assert tapped.logged == {b"one": (b"x", b"y")}


def test_goaway_goes_between_two_frames():
    told = Tapped().calls.drain()
    (kind, _, _, last), (ping, _, _, ours) = frames(told)
    assert (kind, last, ping) == (GOAWAY, struct.pack(">II", 0x7FFFFFFF, 0), PING)
    body = data(1, message(bytes(1000)), size=500) + frame(WINDOW_UPDATE, 0, 0, bytes(4))
    block = headers(hpack.Encoder(), 1, ANSWERED, parts=3)
    for sent in (body, block + body):
        for cut in range(len(sent)):
            tapped = greeted()
            came = tapped.down(sent[:cut])
            came += b"".join(tapped.calls.down.inject(told)) + tapped.down(sent[cut:])
            kinds = [each for each in frames(came) if each[0] not in (GOAWAY, PING)]
            assert kinds == frames(sent)
            read(came)  # no block is interrupted
            assert told in came
    tapped = Tapped()
    assert tapped.calls.down.inject(told) == []  # the server's settings come first
    assert tapped.down(frame(SETTINGS)) == frame(SETTINGS) + told
    tapped.up(PREFACE + frame(SETTINGS))
    assert tapped.up(frame(PING, 1, 0, b"12345678")) == frame(PING, 1, 0, b"12345678")
    assert tapped.up(frame(PING, 1, 0, ours)) == b""
    assert tapped.calls.is_acknowledged


def limited(*sizes):
    """Settings that say how large a list of headers may be, among others."""
    said = [(4, 1 << 20), *((6, size) for size in sizes), (5, 1 << 15)]
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *each) for each in said))


LIST_SIZE = sum(len(name) + len(value) + 32 for name, value in asked())
WITH_ID = LIST_SIZE + len("x-request-id") + 32 + 32


@pytest.mark.parametrize("parts", [1, 3])
def test_headers_with_no_room_for_an_id_go_on_as_they_came(parts):
    for sizes, has_room in (((WITH_ID + 1,), True), ((WITH_ID,), False), ((WITH_ID, 9000), True), ((9000, 1), False)):
        tapped, encoder = Tapped(), hpack.Encoder()
        assert tapped.down(limited(*sizes)) == limited(*sizes)
        for stream in (1, 3):  # the second block is known by its bytes
            sent = headers(encoder, stream, asked(), parts=parts)
            sent = (PREFACE if stream == 1 else b"") + sent
            assert (tapped.up(sent) == sent) == (not has_room)
        assert tapped.counters.no_room_for_id == (0 if has_room else 2)
        assert not tapped.warnings


def test_a_limit_is_that_of_whoever_gets_the_headers_and_of_the_last_settings():
    tapped, up, down = Tapped(), hpack.Encoder(), hpack.Encoder()
    tapped.up(PREFACE + limited(10))
    for stream in (1, 3, 5):
        asking = headers(up, stream, asked(), ends=True)
        assert tapped.up(asking) != asking  # the server has not said that it takes less
        answer = headers(down, stream, [*ANSWERED, ("grpc-status", "0")], ends=True)
        assert (tapped.down(answer) == answer) == (stream != 3)
        tapped.up(limited(9000) if stream == 1 else frame(SETTINGS, 1) + limited() + limited(10))
    assert tapped.counters.no_room_for_id == 2


def test_settings_that_are_cut_off_go_on():
    tapped = Tapped()
    cut = frame(SETTINGS, 0, 0, struct.pack(">HI", 6, 10) + b"\0\6\0")
    assert tapped.up(PREFACE + cut) == PREFACE + cut
    assert tapped.calls.client_takes == 10
