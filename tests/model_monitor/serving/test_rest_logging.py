"""What is logged of traffic over HTTP, read with TensorFlow Serving's own messages."""

import base64
import gzip
import json
import time
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import requests
import tensorflow as tf

from model_monitor.serving.proxy.taken import Limits
from tests.support.model_specs import digits_spec
from tests.support.running_proxy import SECONDS, records, running_proxy, until
from tests.support.scripted_server import ScriptedServer, answer, metadata

IMAGES = np.arange(2 * 2 * 2 * 1, dtype=np.uint8).reshape(2, 2, 2, 1)
SCORES = [[0.25, 0.75], [0.5, 0.5]]
PREDICT = "/v1/models/m:predict"


GZIPPED, DEFLATED = (pack(json.dumps({"predictions": SCORES}).encode()) for pack in (gzip.compress, zlib.compress))
PACKED = {"b64": base64.b64encode(b"\x00\xff").decode()}
PNG = {"b64": base64.b64encode(b"\x89PNG\x00").decode()}
ROWS = {"instances": IMAGES.tolist()}
CLASSIFY = {"examples": [{"image": PNG, "n": [1, -2]}, {"image": PNG, "x": 0.5}], "context": {"who": "me"}}
CLASSES = {"results": [[["cat", 0.75], ["dog", 0.25]], [["dog", 0.5], ["cat", 0.5]]]}
COLUMNS = {"inputs": {"a": [[1], [2.5]], "b": [PACKED, "text"]}, "signature_name": "serving_default"}
SEVERAL = metadata(3, inputs={"a": "DT_FLOAT", "b": "DT_STRING"}, outputs={"p": "DT_FLOAT", "n_bytes": "DT_STRING"})


def as_bytes(body):
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def place(name: str) -> str:
    return f"/v1/models/m/labels/{name}"


# By the id of the request, which is the label that it asks for: path behind that, body, headers, the server's answer.
READABLE = {
    "rows": (":predict", ROWS, {"X-Client": "someone"}, answer(as_bytes({"predictions": SCORES}))),
    "columns": (":predict", COLUMNS, {}, answer(as_bytes({"outputs": {"p": SCORES, "n_bytes": [PACKED, PACKED]}}))),
    "classify": (":classify", CLASSIFY, {}, answer(as_bytes(CLASSES))),
    "gzip": (
        ":predict",
        gzip.compress(as_bytes(ROWS)),
        {"Content-Encoding": "gzip"},
        answer(GZIPPED, "Content-Encoding: gzip"),
    ),
    "deflate": (
        ":predict",
        zlib.compress(as_bytes(ROWS)),
        {"Content-Encoding": "deflate"},
        answer(DEFLATED, "Content-Encoding: deflate"),
    ),
}
NOT_LOGGED = {
    "refused": (
        ":predict",
        b'{"instances": [[',
        {},
        answer(b'{"error": "JSON Parse error"}', status="400 Bad Request"),
    ),
    "regress": (":regress", b"{}", {}, answer(b"{}")),
    "nothing": ("", b"{}", {}, answer(b"{}")),
    "more": (":predict/more", b"{}", {}, answer(b"{}")),
}
UNREADABLE = {
    f"unreadable-{number}": (":predict", body, headers, answer(told))
    for number, (body, headers, told) in enumerate(
        [
            (b'{"instances": [[', {}, b"{}"),  # the server answers all the same
            (b"\xff", {}, b"{}"),
            (b"[" * 100_000, {}, b"{}"),
            (b'{"instances": []}', {}, b'{"predictions": []}'),
            (b'{"instances": [{"b64": "!"}]}', {}, b'{"predictions": [[1]]}'),
            (b'{"instances": [[1], [1, 2]]}', {}, b'{"predictions": [[1]]}'),
            (b'{"instances": [[1.5]]}', {}, b'{"predictions": [[1]]}'),
            (b'{"instances": [[1]]}', {}, b'{"predictions": ["words"]}'),
            (b'{"instances": [[1]], "signature_name": "other"}', {}, b'{"predictions": [[1]]}'),
            (b'{"instances": [[1]]}', {}, b"half {"),
            (b"no gzip", {"Content-Encoding": "gzip"}, b'{"predictions": [[1]]}'),
            (GZIPPED[:20], {"Content-Encoding": "gzip"}, b'{"predictions": [[1]]}'),
            (b"what", {"Content-Encoding": "br"}, b'{"predictions": [[1]]}'),
        ]
    )
}


@pytest.fixture
def server():
    server = ScriptedServer()
    server.answers[PREDICT] = answer(json.dumps({"predictions": SCORES}).encode())
    yield server
    server.close()


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """All of these calls through one proxy: the server, the answers, the records by id, and what was counted."""
    server, logs = ScriptedServer(), tmp_path_factory.mktemp("story") / "logs"
    got = {}
    with running_proxy(logs, server.url, client_header="x-client") as proxy:
        for name, (verb, body, headers, told) in {**READABLE, **NOT_LOGGED, **UNREADABLE}.items():
            server.answers[place(name) + verb] = told
            server.answers[f"{place(name)}/metadata"] = answer(SEVERAL if name == "columns" else metadata(12))
            sent = {**headers, "X-Request-Id": name}
            got[name] = requests.post(proxy.url + place(name) + verb, as_bytes(body), headers=sent, timeout=SECONDS)
        counters = proxy.stop()
    server.close()
    return SimpleNamespace(
        server=server, got=got, records={id_of(each): each for each in records(logs)}, counters=counters
    )


def id_of(log):
    if log.HasField("classify_log"):
        context = log.classify_log.request.input.example_list_with_context.context
        return context.features.feature["log/request_id"].bytes_list.value[0].decode()
    return log.predict_log.request.inputs["log/request_id"].string_val[0].decode()


def logged(tmp_path, server, *calls, log=None, **settings):
    """The records of some calls, each a path with a body, and what was counted."""
    with running_proxy(tmp_path / "logs", server.url, log, **settings) as proxy:
        for path, body in calls:
            requests.post(proxy.url + path, data=as_bytes(body), timeout=SECONDS)
        counters = proxy.stop()
    assert counters.pending == 0
    return records(tmp_path / "logs"), counters


def test_what_can_be_read_is_logged_and_everything_is_counted(story):
    assert set(story.records) == set(READABLE)
    counters = story.counters
    assert counters.to_log == len(READABLE) + len(UNREADABLE)
    assert (counters.logged, counters.lost["unreadable"], counters.pending) == (len(READABLE), len(UNREADABLE), 0)


@pytest.mark.parametrize("name", [*READABLE, *NOT_LOGGED, *UNREADABLE])
def test_whatever_it_is_it_is_forwarded_as_it_is(story, name):
    verb, body, _, told = {**READABLE, **NOT_LOGGED, **UNREADABLE}[name]
    (request,) = story.server.requests[place(name) + verb]
    assert request.endswith(b"\r\n\r\n" + as_bytes(body))
    assert story.got[name].status_code == int(told.split()[1])


def test_rows_become_tensors_with_the_server_s_names_and_types(story):
    log = story.records["rows"]
    request, response = log.predict_log.request, log.predict_log.response
    np.testing.assert_array_equal(tf.make_ndarray(request.inputs["image"]), IMAGES)
    assert request.inputs["image"].dtype == tf.uint8
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["probabilities"]), np.array(SCORES, np.float32))
    assert (response.model_spec.name, response.model_spec.version.value) == ("m", 12)  # which the label stands for
    (client,) = request.inputs["log/client_id"].string_val
    assert len(client) == 32  # a hash
    assert b"someone" not in client
    assert time.time() - 600 < log.log_metadata.timestamp_secs <= time.time()
    assert log.log_metadata.sampling_config.sampling_rate == 1.0


def test_columns_of_several_tensors(story):
    request, response = story.records["columns"].predict_log.request, story.records["columns"].predict_log.response
    np.testing.assert_array_equal(tf.make_ndarray(request.inputs["a"]), np.array([[1], [2.5]], np.float32))
    assert list(request.inputs["b"].string_val) == [b"\x00\xff", b"text"]
    assert list(response.outputs["n_bytes"].string_val) == [b"\x00\xff"] * 2
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["p"]), np.array(SCORES, np.float32))
    assert response.model_spec.version.value == 3


def test_classify_becomes_a_classify_log(story):
    log = story.records["classify"]
    given = log.classify_log.request.input.example_list_with_context
    assert [dict(e.features.feature)["image"].bytes_list.value[0] for e in given.examples] == [b"\x89PNG\x00"] * 2
    assert list(given.examples[0].features.feature["n"].int64_list.value) == [1, -2]
    assert list(given.examples[1].features.feature["x"].float_list.value) == [0.5]
    assert given.context.features.feature["who"].bytes_list.value[0] == b"me"
    rows = log.classify_log.response.result.classifications
    assert [[(c.label, c.score) for c in row.classes] for row in rows] == [
        [("cat", 0.75), ("dog", 0.25)],
        [("dog", 0.5), ("cat", 0.5)],
    ]
    assert log.classify_log.response.model_spec.version.value == 12


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_bodies_are_unpacked_for_the_log(story, coding):
    log = story.records[coding].predict_log
    np.testing.assert_array_equal(tf.make_ndarray(log.request.inputs["image"]), IMAGES)
    np.testing.assert_array_equal(tf.make_ndarray(log.response.outputs["probabilities"]), np.array(SCORES, np.float32))


def test_bodies_over_the_limit_are_forwarded_and_counted(tmp_path, server):
    large = {"instances": IMAGES.tolist(), "padding": "x" * 5000}
    small = {"instances": IMAGES.tolist()}
    limits = Limits(queue_bytes=1 << 20, body_bytes=1000)
    found, counters = logged(tmp_path, server, (PREDICT, large), (PREDICT, small), limits=limits)
    assert len(found) == 1
    assert counters.lost == {"too_large": 1, "other_model": 0, "unreadable": 0, "failed": 0, "crashed": 0}
    assert len(server.requests[PREDICT][0]) > 5000


def test_a_full_queue_is_counted_and_keeps_nobody_waiting(tmp_path, server):
    body = {"instances": IMAGES.tolist()}
    found, counters = logged(tmp_path, server, (PREDICT, body), limits=Limits(queue_bytes=10))
    assert (found, counters.lost["queue_full"]) == ([], 1)


def test_sampling_is_recorded(tmp_path, server):
    calls = [(PREDICT, ROWS)] * 40
    log, limits = {"sampling_rate": 0.5}, Limits(sampling_rate=0.5)
    found, counters = logged(tmp_path, server, *calls, log=log, limits=limits, seed=3)
    assert counters.lost["sampled_out"] == 40 - len(found)
    assert 10 < len(found) < 30
    assert {each.log_metadata.sampling_config.sampling_rate for each in found} == {0.5}


def test_one_model_is_logged(tmp_path, server):
    server.answers["/v1/models/other:predict"] = server.answers[PREDICT]
    server.answers["/v1/models/other/metadata"] = answer(metadata(1))
    body = {"instances": IMAGES.tolist()}
    calls = [("/v1/models/other:predict", body), (PREDICT, body), ("/v1/models/other:predict", body)]
    found, counters = logged(tmp_path, server, *calls, log={"model": "m"})
    assert [each.predict_log.response.model_spec.name for each in found] == ["m"]
    assert counters.lost["other_model"] == 2


def test_a_version_that_changes_meanwhile_is_nobody_s(tmp_path, server):
    """Between two answers to the question which version it is, either may have answered."""
    versions = iter([7, 8, 8, 8, 8, 8, 8, 8])
    server.answers["/v1/models/m/metadata"] = lambda exchange: exchange.send(answer(metadata(next(versions))))
    body, logs = {"instances": IMAGES.tolist()}, tmp_path / "logs"
    with running_proxy(logs, server.url, log={"file_seconds": 0.01}, metrics_port=0) as proxy:
        for expected in (1, 2, 3):
            requests.post(proxy.url + PREDICT, json=body, timeout=SECONDS)
            until(lambda: proxy.metrics()["logged_total"] == expected)  # noqa: B023 - what waits for a version is not
        counters = proxy.stop()
    found = [each.predict_log.response.model_spec for each in records(logs)]
    assert [each.version.value for each in found if each.HasField("version")] == [7, 8]
    assert counters.version_unknown == 1


def test_without_metadata_the_spec_names_the_tensors(tmp_path, server):
    del server.answers["/v1/models/m/metadata"]
    spec = digits_spec(image={"size": [2, 2], "range": [0, 255]})
    scores = [[0.1] * 10] * 2
    server.answers[PREDICT] = answer(json.dumps({"predictions": scores}).encode())
    call = (PREDICT, ROWS)
    (log,), counters = logged(tmp_path, server, call, log={"spec": spec.to_json()})
    assert set(log.predict_log.request.inputs) == {"input_image", "log/request_id"}
    assert set(log.predict_log.response.outputs) == {"dense_1"}
    assert counters.version_unknown == 1
    assert counters.unfit == 0


def test_what_the_spec_does_not_allow_is_logged_and_counted(tmp_path, server):
    told = metadata(7, inputs={"input_image": "DT_FLOAT"}, outputs={"dense_1": "DT_FLOAT"})
    server.answers["/v1/models/m/metadata"] = answer(told)
    spec = digits_spec(image={"size": [2, 2], "range": [0, 1]})
    call = (PREDICT, {"instances": (IMAGES * 30.0).tolist()})
    found, counters = logged(tmp_path, server, call, log={"spec": spec.to_json()})
    assert len(found) == counters.unfit == 1
