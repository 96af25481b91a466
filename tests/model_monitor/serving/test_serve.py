"""The server of a real SavedModel, asked by `requests` and by TensorFlow Serving's own stubs."""

import base64
import gzip
import json
import re

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from model_monitor.serving.protocols.signatures import ModelSignatures
from model_monitor.serving.server import rest
from tests.support.running_proxy import SECONDS, until
from tests.support.served_model import SIDE, push, running_server
from tests.support.started_commands import Home

IMAGES = np.stack([np.full((SIDE, SIDE, 1), level, np.float32) for level in (0.1, 0.5, 0.9)])


@pytest.fixture(scope="module")
def server(saved_model, tmp_path_factory):
    serving = tmp_path_factory.mktemp("serving") / "m"
    serving.mkdir()
    push(saved_model, serving, 7)
    with running_server(serving) as running:
        yield running


@pytest.fixture(scope="module")
def stub(server):
    with grpc.insecure_channel(server.target) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def post(server, path, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body)
    return requests.post(f"{server.url}{path}", data=data, headers=headers, timeout=SECONDS)


def predict(server, body, path="/v1/models/m:predict", **headers):
    return post(server, path, body, **headers)


def request_of(signature="", /, name="m", version=None, **tensors):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, signature
    if version is not None:
        request.model_spec.version.value = version
    for key, value in tensors.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


@pytest.mark.parametrize("path", ["/v1/models/m:predict", "/v1/models/m/versions/7:predict"])
def test_rows_and_columns(server, path):
    by_rows = predict(server, {"instances": IMAGES.tolist()}, path)
    assert by_rows.headers["content-type"] == "application/json"
    rows = np.array(by_rows.json()["predictions"])
    assert rows.argmax(1).tolist() == [0, 1, 2]
    assert rows.sum(1) == pytest.approx([1, 1, 1], abs=1e-5)
    named = predict(server, {"instances": [{"x": image} for image in IMAGES.tolist()]}, path).json()["predictions"]
    columns = predict(server, {"inputs": {"x": IMAGES.tolist()}}, path).json()["outputs"]
    plain = predict(server, {"inputs": IMAGES.tolist(), "signature_name": "serving_default"}, path).json()["outputs"]
    assert named == columns == plain == by_rows.json()["predictions"]


def test_several_tensors_and_bytes(server):
    rows = [{"x": image, "n": number} for number, image in enumerate(IMAGES.tolist())]
    got = predict(server, {"signature_name": "two", "instances": rows}).json()["predictions"]
    assert [row["doubled"] for row in got] == [0, 2, 4]
    assert [row["means"] for row in got] == [0.1, 0.5, 0.9]  # the shortest that is the float32
    columns = {"x": IMAGES.tolist(), "n": [1, 2, 3]}
    got = predict(server, {"signature_name": "two", "inputs": columns}).json()["outputs"]
    assert got == {"doubled": [2, 4, 6], "means": [0.1, 0.5, 0.9]}
    packed = {"b64": base64.b64encode(b"\x00\xff").decode()}
    got = predict(server, {"signature_name": "strings", "instances": [packed, "a"]}).json()
    assert got == {"predictions": [packed, {"b64": "YQ=="}]}


def test_a_compressed_request(server):
    body = gzip.compress(json.dumps({"instances": IMAGES.tolist()}).encode())
    assert len(predict(server, body, **{"Content-Encoding": "gzip"}).json()["predictions"]) == 3


def test_classify(server, stub):
    examples = {"context": {"n": 0.25}, "examples": [{}, {"n": 0.75}], "signature_name": "classify"}
    got = post(server, "/v1/models/m:classify", examples).json()
    assert got == {"results": [[["cat", 0.25], ["dog", 0.75]], [["cat", 0.75], ["dog", 0.25]]]}
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", "classify"
    given = request.input.example_list_with_context
    given.context.features.feature["n"].float_list.value.append(0.25)
    given.examples.add()
    given.examples.add().features.feature["n"].float_list.value.append(0.75)
    response = stub.Classify(request, timeout=SECONDS)
    rows = [[(each.label, each.score) for each in row.classes] for row in response.result.classifications]
    assert rows == [[("cat", 0.25), ("dog", 0.75)], [("cat", 0.75), ("dog", 0.25)]]
    assert response.model_spec.version.value == 7


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        (":predict", b"", 400, "JSON Parse error: The document is empty"),
        (":predict", b'{"instances": [', 400, "JSON Parse error: "),
        (":predict", [], 400, "JSON Value: [] Is not object"),
        (":predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        (":predict", {"instances": [1], "inputs": 1}, 400, "expecting only one of 'inputs' or 'instances' keys"),
        (":predict", {"instances": 1}, 400, "Excepting 'instances' to be an list/array"),
        (":predict", {"instances": []}, 400, "No values in 'instances' array"),
        (":predict", {"instances": [["a"]]}, 400, "Failed to process element: 0 of 'instances' list. Error: "
         'INVALID_ARGUMENT: JSON Value: "a" Type: String is not of expected type: float32'),
        (":predict", {"instances": [[1], [1, 2]]}, 400, "Encountered list at unexpected size"),
        (":predict", {"instances": [{"y": 1}]}, 400, "keys must be equal to: x"),
        (":predict", {"instances": [{"x": 1}, 2]}, 400, "Expecting object but got list at item 1 of input list"),
        (":predict", {"instances": [2, {"x": 1}]}, 400, "Expecting value/list but got object at item 1 of input list"),
        (":predict", {"instances": [1, 2]}, 400, "Input 'x' must be float32 [?, 4, 4, 1], and has the shape [2]"),
        (":predict", {"inputs": {"y": 1}}, 400, "Missing named input: x in 'inputs' object."),
        (":predict", {"signature_name": "two", "instances": [1]}, 400, "instances is a plain list, but expecting"),
        (":predict", {"signature_name": "two", "instances": [{"x": 1, "n": 1.5}]}, 400, "not of expected type: int64"),
        (":predict", {"signature_name": 3, "instances": [1]}, 400, "'signature_name' key must be a string value."),
        (":predict", {"signature_name": "no", "instances": [1]}, 400, 'Serving signature name: "no" not found'),
        ("/versions/8:predict", {"instances": [1]}, 404, "Servable not found for request: Specific(m, 8)"),
        ("/labels/new:predict", {"instances": [1]}, 400, "Unrecognized servable version label: new"),
        (":classify", {"examples": [{}]}, 400, "Expected classification signature method_name to be "
         "tensorflow/serving/classify. Was: tensorflow/serving/predict"),
        (":classify", {"examples": []}, 400, "'examples' value is an empty array"),
        (":classify", {"examples": [{"n": [1, 2.5]}]}, 400, "in feature: n expecting type: int64"),
        (":classify", {}, 400, "When method is classify, key 'examples' is expected and was not found"),
        (":regress", {"examples": [{}]}, 501, "no signature of the method tensorflow/serving/regress"),
        (":what", {}, 400, "Malformed request: POST /v1/models/m:what"),
    ],
)  # fmt: skip
def test_a_bad_request_is_answered_as_tensorflow_serving_does(server, path, body, status, told):
    got = post(server, f"/v1/models/m{path}", body)
    assert (got.status_code, got.headers["content-type"]) == (status, "application/json")
    assert told in got.json()["error"]


def test_a_body_without_end_is_refused(server, monkeypatch):
    monkeypatch.setattr(rest, "MOST_BODY", 1000)
    got = predict(server, b"x" * 2000)
    assert (got.status_code, got.json()) == (429, {"error": "The body of a request may have 1000 bytes"})


def test_status_and_metadata(server):
    got = requests.get(f"{server.url}/v1/models/m", timeout=SECONDS).json()
    fine = {"error_code": "OK", "error_message": ""}
    assert got == {"model_version_status": [{"version": "7", "state": "AVAILABLE", "status": fine}]}
    assert requests.get(f"{server.url}/v1/models/m/versions/7", timeout=SECONDS).json() == got
    for path, told in (
        ("x", "Could not find any versions of model x"),
        ("m/versions/8", "Could not find version 8 of"),
    ):
        refused = requests.get(f"{server.url}/v1/models/{path}", timeout=SECONDS)
        assert refused.status_code == 404
        assert told in refused.json()["error"]
    told = requests.get(f"{server.url}/v1/models/m/metadata", timeout=SECONDS)
    signatures = ModelSignatures.from_json(told.content)
    assert signatures.version == 7
    assert str(signatures.named("").inputs["x"]) == "float32 [?, 4, 4, 1]"
    assert set(signatures.signatures) == {"serving_default", "two", "strings", "classify"}


def test_grpc_predict(stub):
    response = stub.Predict(request_of(x=IMAGES), timeout=SECONDS)
    assert tf.make_ndarray(response.outputs["dense"]).argmax(1).tolist() == [0, 1, 2]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("m", 7, "serving_default")
    request = request_of("two", version=7, x=IMAGES, n=np.array([1, 2, 3]))
    request.output_filter.append("doubled")
    response = stub.Predict(request, timeout=SECONDS)
    assert {name: tf.make_ndarray(each).tolist() for name, each in response.outputs.items()} == {"doubled": [2, 4, 6]}
    texts = stub.Predict(request_of("strings", text=[b"\x00", b"a"]), timeout=SECONDS)
    assert tf.make_ndarray(texts.outputs["same_bytes"]).tolist() == [b"\x00", b"a"]


@pytest.mark.parametrize(
    ("request_", "code", "told"),
    [
        (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (request_of("x", name=""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (request_of(name="other"), "NOT_FOUND", "Servable not found for request: Latest(other)"),
        (request_of(version=6), "NOT_FOUND", "Servable not found for request: Specific(m, 6)"),
        (request_of("no"), "FAILED_PRECONDITION", 'Serving signature key "no" not found.'),
        (request_of(), "INVALID_ARGUMENT", "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: "
         "{}. Missing but required: {x}."),
        (request_of(x=IMAGES.astype(np.uint8)), "INVALID_ARGUMENT", "to be float32 but uint8 is provided"),
        (request_of(x=IMAGES[0]), "INVALID_ARGUMENT", "has the shape [4, 4, 1]"),
    ],
)  # fmt: skip
def test_a_bad_grpc_request_gets_tensorflow_serving_s_status(stub, request_, code, told):
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request_, timeout=SECONDS)
    assert caught.value.code().name == code
    assert told in caught.value.details()


def test_a_tensor_that_is_none_and_an_output_that_is_none(stub):
    broken = request_of(x=IMAGES)
    broken.inputs["x"].tensor_content = b"short"
    unknown = request_of(x=IMAGES)
    unknown.output_filter.append("no")
    for request, told in ((broken, "Tensor proto cannot be parsed"), (unknown, "output tensor alias not found in")):
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(request, timeout=SECONDS)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert told in caught.value.details()


def test_grpc_status_and_metadata(server, stub):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "m"
    told = stub.GetModelMetadata(request, timeout=SECONDS)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert told.metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def["serving_default"].inputs["x"].dtype == tf.float32
    assert told.model_spec.version.value == 7
    with grpc.insecure_channel(server.target) as channel:
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        asked = get_model_status_pb2.GetModelStatusRequest()
        asked.model_spec.name = "m"
        (status,) = models.GetModelStatus(asked, timeout=SECONDS).model_version_status
        assert (status.version, status.state) == (7, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
        asked.model_spec.name = "other"
        with pytest.raises(grpc.RpcError) as caught:
            models.GetModelStatus(asked, timeout=SECONDS)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_new_versions_are_taken_up_without_a_gap(saved_model, tmp_path):
    serving = tmp_path / "m"
    serving.mkdir()
    push(saved_model, serving, 1)
    body = {"inputs": IMAGES.tolist()}
    with running_server(serving) as server, requests.Session() as session:

        def version():
            assert session.post(f"{server.url}/v1/models/m:predict", json=body, timeout=SECONDS).status_code == 200
            told = session.get(f"{server.url}/v1/models/m/metadata", timeout=SECONDS)
            return int(told.json()["model_spec"]["version"])

        assert version() == 1
        (serving / "2").mkdir()  # no model
        push(saved_model, serving, 3)
        until(lambda: version() == 3)
        (serving / "4").mkdir()
        (serving / "4" / "saved_model.pb").write_bytes(b"no model")
        told = until(
            lambda: next((s for s in session.get(f"{server.url}/v1/models/m", timeout=SECONDS).json()[
                "model_version_status"] if s["version"] == "4" and s["state"] == "END"), None)
        )  # fmt: skip
        assert "cannot be loaded" in told["status"]["error_message"]
        assert version() == 3


def test_the_command_says_where_it_answers_and_nothing_else(saved_model, tmp_path):
    """Nor does TensorFlow, which has much to say of itself when it is imported."""
    push(saved_model, tmp_path / "m", 1)
    ports = ("--port", "0", "--grpc-port", "0")
    told = Home(tmp_path).start_alone("serve", "--serving", "m", *ports, environment={"PYTHONWARNINGS": "default"})
    assert told.wait_for(r"grpc://\S+\n")
    told.process.terminate()
    assert told.process.wait(SECONDS) == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1/models/m\ngrpc://127\.0\.0\.1:\d+\n", told.text)
