"""HTTP/2 as bytes: made for tests, and read again by other code than the proxy's."""

import itertools
import random
import struct

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, HAS_PRIORITY = 1, 4, 8, 32
PREDICT = "/tensorflow.serving.PredictionService/Predict"


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def headers(encoder, stream, fields, *, ends=False, padding=None, priority=False, parts=1, kind=HEADERS):
    """A block of headers, with all that HTTP/2 allows around it."""
    encoded = encoder.encode(fields)
    cuts = [len(encoded) * part // parts for part in range(parts + 1)]
    pieces = [encoded[start:end] for start, end in itertools.pairwise(cuts)]
    flags = END_STREAM * ends | END_HEADERS * (parts == 1)
    first = pieces[0]
    if priority:
        flags, first = flags | HAS_PRIORITY, b"\x00\x00\x00\x00\x10" + first
    if padding is not None:
        flags, first = flags | PADDED, bytes((padding,)) + first + bytes(padding)
    rest = [frame(CONTINUATION, END_HEADERS * (at == parts - 1), stream, pieces[at]) for at in range(1, parts)]
    return frame(kind, flags, stream, first) + b"".join(rest)


def data(stream, content, *, ends=False, padding=None, size=16384):
    pieces = [content[at : at + size] for at in range(0, len(content), size)] or [b""]
    out = b""
    for number, piece in enumerate(pieces):
        flags = END_STREAM * (ends and number == len(pieces) - 1)
        padded = piece if padding is None else bytes((padding,)) + piece + bytes(padding)
        out += frame(DATA, flags | PADDED * (padding is not None), stream, padded)
    return out


def message(content, compressed=0):
    return bytes((compressed,)) + struct.pack(">I", len(content)) + content


def asked(path=PREDICT, *more):
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "here"), ("te", "trailers")]
    return [*fields, ("content-type", "application/grpc"), ("user-agent", "a test"), *more]


ANSWERED = [(":status", "200"), ("content-type", "application/grpc")]


def frames(sent):
    """The frames of what was sent, each as kind, flags, stream and payload."""
    at, found = 0, []
    while at < len(sent):
        length = int.from_bytes(sent[at : at + 3], "big")
        kind, flags, stream = sent[at + 3], sent[at + 4], int.from_bytes(sent[at + 5 : at + 9], "big")
        assert at + 9 + length <= len(sent)
        found.append((kind, flags, stream, sent[at + 9 : at + 9 + length]))
        at += 9 + length
    return found


def read(sent):
    """What was sent, with blocks of headers decoded: what a receiver makes of it."""
    decoder, found, block = hpack.Decoder(), [], None
    decoder.max_allowed_table_size = 1 << 16
    for kind, flags, stream, payload in frames(sent.removeprefix(PREFACE)):
        assert len(payload) <= 16384
        if kind not in (HEADERS, CONTINUATION):
            assert block is None, "a block of headers is interrupted"
            found.append((kind, flags, stream, payload))
            continue
        if kind == HEADERS:
            padding = payload[0] if flags & PADDED else 0
            start = bool(flags & PADDED) + (5 if flags & HAS_PRIORITY else 0)
            block = [stream, flags & END_STREAM, payload[start : len(payload) - padding]]
        else:
            assert block is not None
            assert block[0] == stream
            block[2] += payload
        if flags & END_HEADERS:
            decoded = [tuple(each) for each in decoder.decode(block[2], raw=True)]
            found.append((HEADERS, block[1], stream, decoded))
            block = None
    return found


def conversation(seed, calls=8, *, ids=False):
    """Both directions of a connection with calls at the same time, and everything that HTTP/2 has between them.

    Returns:
      What the client sends, what the server sends, and the messages of the calls that are logged, by request id.

    """
    chance, up, down = random.Random(seed), hpack.Encoder(), hpack.Encoder()  # noqa: S311 - the same each time
    sent_up, sent_down, logged = [PREFACE, frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 20))], [frame(SETTINGS)], {}
    queues = []
    for number in range(calls):
        stream, name = 2 * number + 1, f"call-{number}"
        is_logged = chance.random() < 0.7
        request = chance.randbytes(chance.choice((0, 3, 300, 3000) + (40_000,) * (number == 1)))
        answer = chance.randbytes(chance.choice((0, 5, 2000)))
        if is_logged:
            logged[name.encode()] = (request, answer)
        fields = asked(PREDICT if is_logged else "/other/Method", ("x-mine-bin", "AP8"))
        fields += [("x-request-id", name)] if ids or is_logged else []
        shape = {
            "padding": chance.choice((None, 0, 7)),
            "priority": chance.random() < 0.3,
            "parts": chance.choice((1, 1, 3)),
        }
        size = chance.choice((100, 16000))
        padding = chance.choice((None, None, 0, 30))
        body = data(stream, message(request), ends=True, padding=padding, size=size)
        id_field = [("x-request-id", "of the server")] if ids else []
        replies = (ANSWERED, message(answer), [("grpc-status", "0"), *id_field])
        queues.append((stream, fields, shape, frames(body), replies, padding))
    for stream, fields, shape, _, _, _ in queues:
        sent_up.append(headers(up, stream, fields, **shape))
    waiting = [[stream, list(body)] for stream, _, _, body, _, _ in queues]
    while any(body for _, body in waiting):
        stream, body = chance.choice([each for each in waiting if each[1]])
        kind, flags, _, payload = body.pop(0)
        sent_up.append(frame(kind, flags, stream, payload))
        if chance.random() < 0.1:
            credit, own = frame(WINDOW_UPDATE, 0, 0, b"\0\0\1\0"), frame(0xBE, 3, 0, bytes(40))
            sent_up.append(
                chance.choice((frame(PING, 0, 0, b"12345678"), credit, frame(PRIORITY, 0, stream, bytes(5)), own))
            )
    for stream, _, shape, _, (first, content, last), padding in queues:
        sent_down.append(headers(down, stream, first, **shape))
        sent_down.append(frame(WINDOW_UPDATE, 0, stream, b"\0\0\1\0"))
        sent_down.append(data(stream, content, padding=padding))
        sent_down.append(headers(down, stream, last, ends=True, padding=shape["padding"], parts=shape["parts"]))
    return b"".join(sent_up), b"".join(sent_down), logged
