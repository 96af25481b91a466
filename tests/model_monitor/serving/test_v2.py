"""KServe's V2 protocol over REST: its tensors in JSON and binary, the server's answers, and what the proxy logs."""

import base64
import json

import numpy as np
import pytest
import requests
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from model_monitor.serving.protocols.json_values import BadRequestError
from model_monitor.serving.protocols.v2_json import JSON_LENGTH, Request, read_request, read_response, response_of
from tests.support.running_proxy import SECONDS, records, running_proxy
from tests.support.scripted_server import ScriptedServer, answer
from tests.support.served_model import SIDE, push, running_server

IMAGES = np.stack([np.full((SIDE, SIDE, 1), level, np.float32) for level in (0.1, 0.5, 0.9)])
NUMBERS = ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
KINDS = (*NUMBERS, "float16", "float32", "float64")


def there_and_back(arrays, *, binary):
    body, length = response_of(arrays, Request({}, binary=binary), "m", 7)
    response = read_response(body, str(length) if length is not None else "")
    assert response.version == 7
    return response.tensors


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_go_there_and_back(kind, binary):
    value = np.array([[0, 1, 1], [1, 0, 1]]).astype(kind)
    found = there_and_back({"x": value, "y": value[0]}, binary=binary)
    for name, wanted in (("x", value), ("y", value[0])):
        assert (found[name].dtype, found[name].shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(found[name], wanted)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=4))
def test_bytes_go_there_and_back_in_binary(texts):
    value = np.empty(len(texts), object)
    value[:] = texts
    assert there_and_back({"t": value, "n": np.arange(3)}, binary=True)["t"].tolist() == texts


def test_nested_data_are_read_too():
    tensor = {"name": "x", "shape": [2, 2], "datatype": "INT64", "data": [[1, 2], [3, 4]]}
    assert read_request(json.dumps({"inputs": [tensor]}).encode()).tensors["x"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "a tensor must have a name"),
        ({"datatype": "FLOAT"}, "datatype must be one of"),
        ({"shape": [3]}, "must have values for [3], and has 2"),
        ({"shape": [-1]}, "shape must be a list of sizes"),
        ({"data": None}, "must have `data`"),
        ({"data": ["a", "b"]}, "must be of INT64"),
        ({"data": [1, 2.5]}, "must be of INT64"),
        ({"data": [[1], 2]}, "nested as deep everywhere"),
        ({"datatype": "UINT8", "data": [1, 256]}, "must be of UINT8"),
        ({"datatype": "BYTES", "data": [1, 2]}, "not formatted correctly for base64"),
        ({"parameters": {"binary_data_size": 3}}, "binary_data_size must be within the 0 bytes left"),
        ({"parameters": 3}, "'parameters' must be an object"),
    ],
)
def test_what_is_no_tensor_is_said(change, told):
    tensor = {"name": "x", "shape": [2], "datatype": "INT64", "data": [1, 2], **change}
    with pytest.raises(BadRequestError) as caught:
        read_request(json.dumps({"inputs": [tensor]}).encode())
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("body", "length", "told"),
    [
        (b"{}", "", "'inputs' must be a list"),
        (b'{"inputs": []}', "", "'inputs' must name every tensor"),
        (b'{"inputs": []}', "99", "must be a length within"),
        (b'{"inputs": []}', "x", "must be a length within"),
        (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "INT8", "data": [1]}]}more', "70", "leaves 4 bytes"),
        (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 5}}]}'
         b"\x05\0\0\0a", "94", "ends within a value"),
        (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "INT16", "parameters": {"binary_data_size": 1}}]}a',
         "94", "1 bytes of INT16"),
    ],
)  # fmt: skip
def test_what_is_no_body_is_said(body, length, told):
    if length in ("70", "94"):
        length = str(body.rindex(b"}") + 1)
    with pytest.raises(BadRequestError) as caught:
        read_request(body, length)
    assert told in str(caught.value)


@pytest.fixture(scope="module")
def server(saved_model, tmp_path_factory):
    serving = tmp_path_factory.mktemp("serving") / "m"
    serving.mkdir()
    push(saved_model, serving, 7)
    with running_server(serving) as running:
        yield running


# As `InferenceRESTClient` of kserve 0.21.0 sends them: the whole of the one, the JSON document of the other.
KSERVE_JSON = (
    '{"id": "call-1", "model_name": "m", "inputs": [{"name": "x", "shape": [3, 4, 4, 1], '
    '"datatype": "FP32", "data": %s}]}'
)
KSERVE_BINARY = (
    b'{"id":"k-1","model_name":"m","inputs":[{"name":"x","shape":[3,4,4,1],"datatype":"FP32",'
    b'"parameters":{"binary_data_size":192}}],"parameters":{"binary_data_output":true}}'
)


def test_the_server_answers_and_the_proxy_logs(server, tmp_path):
    plain = KSERVE_JSON % json.dumps(IMAGES.astype(np.float64).ravel().tolist())
    body, headers = KSERVE_BINARY + IMAGES.tobytes(), {JSON_LENGTH: str(len(KSERVE_BINARY))}
    with running_proxy(tmp_path / "logs", server.url) as proxy:
        one = requests.post(f"{proxy.url}/v2/models/m/infer", plain, headers={"X-Request-Id": "a"}, timeout=SECONDS)
        url = f"{proxy.url}/v2/models/m/versions/7/infer"
        two = requests.post(url, body, headers={**headers, "X-Request-Id": "b"}, timeout=SECONDS)
        counters = proxy.stop()
    assert (one.json()["id"], one.json()["model_version"]) == ("call-1", "7")
    scores = np.array(one.json()["outputs"][0]["data"]).reshape(one.json()["outputs"][0]["shape"])
    assert scores.argmax(1).tolist() == [0, 1, 2]
    binary = read_response(two.content, two.headers[JSON_LENGTH]).tensors["dense"]
    np.testing.assert_allclose(binary, scores, rtol=1e-6)
    found = records(tmp_path / "logs")
    assert counters.logged == len(found) == 2
    for log, name in zip(found, (b"a", b"b"), strict=True):
        request, response = log.predict_log.request, log.predict_log.response
        np.testing.assert_array_equal(tf.make_ndarray(request.inputs["x"]), IMAGES)
        np.testing.assert_allclose(tf.make_ndarray(response.outputs["dense"]), scores, rtol=1e-6)
        assert request.inputs["log/request_id"].string_val == [name]
        assert (response.model_spec.name, response.model_spec.version.value) == ("m", 7)


def test_a_server_that_says_no_version(tmp_path):
    server = ScriptedServer()
    outputs = [{"name": "p", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 0.5]}]
    server.answers["/v2/models/k/infer"] = answer(json.dumps({"model_name": "k", "outputs": outputs}).encode())
    inputs = [{"name": "t", "shape": [1], "datatype": "BYTES", "data": ["text"]}]
    with running_proxy(tmp_path / "logs", server.url) as proxy:
        requests.post(f"{proxy.url}/v2/models/k/infer", json={"inputs": inputs}, timeout=SECONDS)
        assert proxy.stop().version_unknown == 1
    (log,) = records(tmp_path / "logs")
    assert log.predict_log.request.inputs["t"].string_val == [b"text"]
    assert not log.predict_log.response.model_spec.HasField("version")
    server.close()


@pytest.mark.parametrize(
    ("document", "status", "told"),
    [
        ({"inputs": [{"name": "y", "shape": [1], "datatype": "FP32", "data": [1]}]}, 400, "does not match signature"),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}]}, 400, "to be float32 but float64"),
        ({}, 400, "'inputs' must be a list"),
    ],
)
def test_a_bad_request_is_said(server, document, status, told):
    got = requests.post(f"{server.url}/v2/models/m/infer", json=document, timeout=SECONDS)
    assert got.status_code == status
    assert told in got.json()["error"]


def test_wanted_outputs_are_chosen(server):
    tensor = {"name": "x", "shape": list(IMAGES.shape), "datatype": "FP32", "data": IMAGES.ravel().tolist()}
    url = f"{server.url}/v2/models/m/infer"
    got = requests.post(url, json={"inputs": [tensor], "outputs": [{"name": "no"}]}, timeout=SECONDS)
    assert "no output 'no'" in got.json()["error"]
    binary = {"name": "dense", "parameters": {"binary_data": True}}
    got = requests.post(url, json={"inputs": [tensor], "outputs": [binary]}, timeout=SECONDS)
    assert len(got.content) == int(got.headers[JSON_LENGTH]) + 3 * 3 * 4


def test_what_the_server_says_of_itself(server):
    def told(path):
        return requests.get(f"{server.url}{path}", timeout=SECONDS)

    assert told("/v2/health/live").json() == {"live": True}
    assert told("/v2/health/ready").json() == {"ready": True}
    assert told("/v2/models/m/ready").json() == {"name": "m", "ready": True}
    assert told("/v2").json()["extensions"] == ["binary_tensor_data"]
    model = told("/v2/models/m").json()
    assert model["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4, 4, 1]}]
    assert model["versions"] == ["7"]
    assert told("/v2/models/other").status_code == 404


def test_bytes_in_json_may_be_base64(server):
    tensor = {"name": "t", "shape": [2], "datatype": "BYTES", "data": ["a", {"b64": base64.b64encode(b"\0").decode()}]}
    assert read_request(json.dumps({"inputs": [tensor]}).encode()).tensors["t"].tolist() == [b"a", b"\0"]
