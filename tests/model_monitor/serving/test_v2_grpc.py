"""KServe's V2 protocol over gRPC, as its clients send it: what is read of it, and what the proxy makes of it."""

import grpc
import numpy as np
import pytest
import tensorflow as tf

from components.common.errors import MonitorError
from model_monitor.serving.protocols.v2_grpc import METHOD, read_request, read_response
from tests.support.grpc_server import OPTIONS, Server
from tests.support.running_proxy import SECONDS, records, running_proxy

IMAGES = np.stack([np.full((4, 4, 1), level, np.float32) for level in (0.1, 0.5, 0.9)])
VALUES = b"\xc0\x01" + IMAGES.tobytes()  # with their length
# As `InferenceServerClient` of tritonclient 2.73.0 sends them, and `InferenceGRPCClient` of kserve 0.21.0, whose
# requests have values raw or in lists.
TRITON = b"\n\x01m\x12\x017\x1a\x03t-1*\x0f\n\x01x\x12\x04FP32\x1a\x04\x03\x04\x04\x012\x07\n\x05dense:" + VALUES
KSERVE_RAW = (
    b'\n\x01m\x1a\x03k-1*(\n\x01x\x12\x04FP32\x1a\x04\x03\x04\x04\x01"\x17\n\x10binary_data_size\x12\x03\x10\xc0\x01:'
    + VALUES
)
KSERVE_LISTS = b"\n\x01m\x1a\x03k-1*\xd5\x01\n\x01x\x12\x04FP32\x1a\x04\x03\x04\x04\x01*\xc3\x012" + VALUES
SCORES = np.eye(3, dtype=np.float32)
# As `service_pb2.ModelInferResponse` of tritonclient 2.73.0 is written.
ANSWER = b"\n\x01m\x12\x017\x1a\x03t-1*\x11\n\x05dense\x12\x04FP32\x1a\x02\x03\x032$" + SCORES.tobytes()


@pytest.mark.parametrize(
    ("message", "version", "name"),
    [(TRITON, 7, "t-1"), (KSERVE_RAW, None, "k-1"), (KSERVE_LISTS, None, "k-1")],
)
def test_requests_of_real_clients_are_read(message, version, name):
    model, asked, request = read_request(message)
    assert (model, asked, request.id) == ("m", version, name)
    np.testing.assert_array_equal(request.tensors["x"], IMAGES)


def test_an_answer_is_read():
    model, answer = read_response(ANSWER)
    assert (model, answer.version) == ("m", 7)
    np.testing.assert_array_equal(answer.tensors["dense"], SCORES)


def tensor(name=b"x", kind=b"INT32", shape=b"\x02", rest=b""):
    """A request with one tensor; lengths of a byte."""
    fields = b"".join(
        tag + bytes([len(each)]) + each for tag, each in ((b"\n", name), (b"\x12", kind), (b"\x1a", shape))
    )
    return b"\n\x01m*" + bytes([len(fields + rest)]) + fields + rest


BOOLS, BYTES = b"*\x04\n\x02\x01\x00", b"*\x07B\x01aB\x02bc"
INT32S, UINT64S, DOUBLES = b"*\x04\x12\x02\x01\x02", b"*\x04*\x02\x01\x02", b"*\x12:\x10" + np.array([1, 2.5]).tobytes()


@pytest.mark.parametrize(
    ("kind", "contents", "wanted"),
    [
        (b"BOOL", BOOLS, np.array([True, False])),
        (b"INT8", INT32S, np.array([1, 2], np.int8)),
        (b"UINT64", UINT64S, np.array([1, 2], np.uint64)),
        (b"FP64", DOUBLES, np.array([1, 2.5])),
        (b"BYTES", BYTES, np.array([b"a", b"bc"], object)),
        (b"BF16", b":\x04\x80\x3f\x00\x40", np.array([1, 2], tf.bfloat16.as_numpy_dtype)),
    ],
)
def test_every_kind_of_contents(kind, contents, wanted):
    raw = contents if contents[:1] == b":" else b""
    message = tensor(kind=kind, rest=b"" if raw else contents) + raw
    found = read_request(message)[2].tensors["x"]
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (b"\xff\xff", "ModelInfer request"),
        (b"", "an empty file"),
        (b"\n\x01m", "must have values for each of its 0 tensors"),
        (tensor(name=b"", rest=INT32S), "a tensor must have a name"),
        (tensor(kind=b"FLOAT", rest=INT32S), "datatype must be one of"),
        (tensor(shape=b"\x03", rest=INT32S), "must have values for [3], and has 2"),
        (tensor(shape=b"\xff" * 9 + b"\x01", rest=INT32S), "shape must be a list of sizes"),
        (tensor(kind=b"FP32", rest=INT32S), "must have values for [2], and has 0"),
        (tensor(kind=b"UINT8", rest=b'*\x05"\x03\x01\xac\x02'), "must be of UINT8"),
        (tensor() + b":\x08" + bytes(8) + b":\x08" + bytes(8), "and has 2"),
        (tensor() + b":\x04" + bytes(4), "and has 4 bytes of INT32"),
        (tensor(rest=b'"\x18\n\x14shared_memory_region\x12\x00'), "are in shared memory"),
    ],
)
def test_what_is_no_request_is_said(message, told):
    with pytest.raises(MonitorError) as caught:
        read_request(message)
    assert told in str(caught.value)


def test_the_proxy_forwards_and_logs(tmp_path):
    server = Server()
    server.answers[METHOD] = ANSWER
    other = METHOD.replace("ModelInfer", "ModelReady")
    server.answers[other] = b"\x08\x01"
    with running_proxy(tmp_path / "logs", "", grpc_upstream=server.target) as proxy:
        with grpc.insecure_channel(f"127.0.0.1:{proxy.addresses.grpc}", options=OPTIONS) as channel:
            for message, name in ((TRITON, "a"), (KSERVE_LISTS, "b"), (tensor(), "c")):
                got = channel.unary_unary(METHOD)(message, metadata=(("x-request-id", name),), timeout=SECONDS)
                assert (got, server.requests[METHOD]) == (ANSWER, message)
            assert channel.unary_unary(other)(b"\n\x01m", timeout=SECONDS) == b"\x08\x01"
        counters = proxy.stop()
    server.server.stop(None)
    found = records(tmp_path / "logs")
    assert (counters.to_log, counters.logged, counters.lost["unreadable"]) == (3, 2, 1)
    for log, name in zip(found, (b"a", b"b"), strict=True):
        request, response = log.predict_log.request, log.predict_log.response
        np.testing.assert_array_equal(tf.make_ndarray(request.inputs["x"]), IMAGES)
        np.testing.assert_array_equal(tf.make_ndarray(response.outputs["dense"]), SCORES)
        assert request.inputs["log/request_id"].string_val == [name]
        assert (response.model_spec.name, response.model_spec.version.value) == ("m", 7)
