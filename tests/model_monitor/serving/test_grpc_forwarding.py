"""What goes through the proxy over gRPC, with TensorFlow Serving's own messages and stubs on both sides."""

import socket
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from model_monitor.serving.proxy.taken import Limits
from tests.support.grpc_server import OPTIONS, Server
from tests.support.predict_messages import IMAGES, predict_request, predict_response
from tests.support.running_proxy import SECONDS, records, running_proxy, until

SERVICE = "/tensorflow.serving.PredictionService/"


@pytest.fixture(scope="module")
def server():
    server = Server()
    server.answers[f"{SERVICE}Predict"] = predict_response().SerializeToString()
    yield server
    server.server.stop(None)


@pytest.fixture(scope="module")
def proxy(server, tmp_path_factory):
    logs = tmp_path_factory.mktemp("grpc") / "logs"
    limits = Limits(queue_bytes=64 << 20, body_bytes=1 << 20)
    with running_proxy(logs, "", grpc_upstream=server.target, client_header="X-Client", limits=limits) as running:
        yield running


@pytest.fixture(scope="module")
def channel(proxy):
    with grpc.insecure_channel(f"127.0.0.1:{proxy.addresses.grpc}", options=OPTIONS) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def test_messages_and_metadata_go_both_ways(server, stub):
    method = f"{SERVICE}Predict"

    def told(requests, context):
        server.requests[method] = next(requests)
        context.send_initial_metadata((("first", "1"), ("first-bin", b"\x00\xff")))
        context.set_trailing_metadata((("last-bin", b"\x01"),))
        return iter([predict_response().SerializeToString()])

    server.answers[method], before = told, server.answers[method]
    sent = (("x-request-id", "5f1c"), ("x-client", "someone"), ("own-bin", b"\x00\x01"))
    response, call = stub.Predict.with_call(predict_request(), metadata=sent, timeout=SECONDS)
    server.answers[method] = before
    assert response == predict_response()
    assert server.requests[method] == predict_request().SerializeToString()
    arrived = server.metadata[method]
    assert {key: arrived[key] for key, _ in sent} == dict(sent)
    first, last = dict(call.initial_metadata()), dict(call.trailing_metadata())
    assert (first["first"], first["first-bin"]) == ("1", b"\x00\xff")
    assert (last["last-bin"], last["x-request-id"]) == (b"\x01", "5f1c")


def test_who_sends_no_id_is_given_one(server, stub):
    _, call = stub.Predict.with_call(predict_request(), timeout=SECONDS)
    own = dict(call.trailing_metadata())["x-request-id"]
    assert len(own) == 32
    assert server.metadata[f"{SERVICE}Predict"]["x-request-id"] == own


def test_a_refusal_goes_through_as_it_is(server, stub):
    def told(requests, context):
        next(requests)
        context.set_trailing_metadata((("grpc-status-details-bin", b"\x08\x05"), ("why", "so")))
        context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(x)")

    server.answers[f"{SERVICE}Predict"], before = told, server.answers[f"{SERVICE}Predict"]
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(predict_request(), timeout=SECONDS)
    server.answers[f"{SERVICE}Predict"] = before
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "Servable not found for request: Latest(x)"
    trailing = dict(caught.value.trailing_metadata())
    assert (trailing["why"], trailing["grpc-status-details-bin"]) == ("so", b"\x08\x05")


def test_the_server_s_own_unavailable_is_not_the_proxy_s(server, stub):
    def told(requests, context):
        context.abort(grpc.StatusCode.UNAVAILABLE, "busy")

    server.answers[f"{SERVICE}Predict"], before = told, server.answers[f"{SERVICE}Predict"]
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(predict_request(), timeout=SECONDS)
    server.answers[f"{SERVICE}Predict"] = before
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, "busy")


def test_the_client_s_deadline_is_the_server_s(server, stub):
    stub.Predict(predict_request(), timeout=77)
    assert 60 < server.left[f"{SERVICE}Predict"] < 78


@pytest.mark.parametrize("how", ["cancelled", "late"])
def test_who_does_not_wait_ends_the_request(server, stub, how):
    method, came, ended = f"{SERVICE}Classify", threading.Event(), threading.Event()

    def told(requests, context):
        context.add_callback(ended.set)
        came.set()
        ended.wait(SECONDS)
        return iter([])

    server.answers[method] = told
    call = stub.Classify.future(classification_pb2.ClassificationRequest(), timeout=0.3 if how == "late" else SECONDS)
    if how == "cancelled":
        assert came.wait(SECONDS)
        call.cancel()
    else:
        with pytest.raises(grpc.RpcError) as caught:
            call.result()
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert ended.wait(SECONDS)


def test_other_services_and_streams_go_through(server, channel):
    status = get_model_status_pb2.GetModelStatusResponse()
    status.model_version_status.add(version=7, state=get_model_status_pb2.ModelVersionStatus.AVAILABLE)
    server.answers["/tensorflow.serving.ModelService/GetModelStatus"] = status.SerializeToString()
    model = model_service_pb2_grpc.ModelServiceStub(channel)
    assert model.GetModelStatus(get_model_status_pb2.GetModelStatusRequest(), timeout=SECONDS) == status

    def doubled(requests, context):
        for request in requests:
            yield request * 2
        context.set_trailing_metadata((("count", "3"),))

    server.answers["/any.Service/Stream"] = doubled
    call = channel.stream_stream("/any.Service/Stream")(iter([b"a", b"b", b"c"]), timeout=SECONDS)
    assert list(call) == [b"aa", b"bb", b"cc"]
    assert dict(call.trailing_metadata())["count"] == "3"
    assert "x-request-id" in dict(call.trailing_metadata())


def test_an_unknown_method_is_the_server_s_to_refuse(server, channel):
    def told(requests, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")

    server.answers["/any.Service/None"] = told
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/any.Service/None")(b"", timeout=SECONDS)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, "not here")


def test_what_is_logged(server, proxy, stub):
    """The last test of the proxy, which it stops."""
    logged = proxy.counters  # None: nothing has been read from it yet
    assert logged is None
    stub.Predict(predict_request(), metadata=(("x-request-id", "one"), ("x-client", "who")), timeout=SECONDS)
    large = predict_request()
    large.inputs["more"].CopyFrom(tf.make_tensor_proto(np.zeros(6 << 20, np.uint8)))
    stub.Predict(large, metadata=(("x-request-id", "large"),), timeout=SECONDS)
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "m"
    request.input.example_list.examples.add().features.feature["image"].bytes_list.value.append(b"png")
    response = classification_pb2.ClassificationResponse()
    response.model_spec.version.value = 8
    response.result.classifications.add().classes.add(label="cat", score=0.5)
    server.answers[f"{SERVICE}Classify"] = response.SerializeToString()
    assert stub.Classify(request, metadata=(("x-request-id", "two"),), timeout=SECONDS) == response
    server.answers[f"{SERVICE}Classify"] = b"\xff\xff no message"
    with pytest.raises(grpc.RpcError):  # what the client itself cannot read
        stub.Classify(request, timeout=SECONDS)
    counters = proxy.stop()
    found = records(proxy.logs)
    assert counters.pending == 0
    assert (counters.logged, counters.lost["too_large"], counters.lost["unreadable"]) == (len(found), 1, 1)
    predicted = {
        log.predict_log.request.inputs["log/request_id"].string_val[0]: log.predict_log
        for log in found
        if log.HasField("predict_log")
    }
    one = predicted[b"one"]
    np.testing.assert_array_equal(tf.make_ndarray(one.request.inputs["image"]), IMAGES)
    assert one.response == predict_response()
    assert len(one.request.inputs["log/client_id"].string_val[0]) == 32
    assert b"large" not in predicted
    (classified,) = (log for log in found if log.HasField("classify_log"))
    context = classified.classify_log.request.input.example_list_with_context
    assert context.context.features.feature["log/request_id"].bytes_list.value[0] == b"two"
    assert list(context.examples) == list(request.input.example_list.examples)
    assert classified.classify_log.response == response
    assert classified.log_metadata.model_spec.version.value == 8
    assert time.time() - 600 < classified.log_metadata.timestamp_secs <= time.time()


def test_no_server_there_is_said_in_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running_proxy(tmp_path / "logs", "", grpc_upstream=f"127.0.0.1:{port}") as proxy:
        with grpc.insecure_channel(f"127.0.0.1:{proxy.addresses.grpc}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                stub.Predict(predict_request(), timeout=SECONDS)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert caught.value.details().startswith(f"The model server at 127.0.0.1:{port} cannot be reached: ")
            server = Server(port)
            server.answers[f"{SERVICE}Predict"] = predict_response().SerializeToString()

            def answered():
                try:
                    return stub.Predict(predict_request(), timeout=SECONDS)
                except grpc.RpcError:
                    return None

            assert until(answered) == predict_response()
            server.server.stop(None)
        assert proxy.stop().logged == 1
