"""A writer that knows the model from the bundle beside it, and says when a server logs something else."""

import json
import logging

import numpy as np
import pytest

from components.common import baseline_bundle
from components.common.baseline_bundle import Manifest
from components.common.errors import MonitorError
from components.serving_log_example_gen.prediction_log import read_origin
from components.serving_log_writer.spec_check import problems
from components.serving_log_writer.writer import ServingLogWriter
from tests.components.serving_log_writer.test_serving_log_writer import records, visible
from tests.support.model_specs import digits_spec

SPEC = digits_spec(signatures={"serve": "predict"})
IMAGES = np.linspace(0, 1, 2 * 784, dtype=np.float32).reshape(2, 28, 28, 1)
SCORES = np.full((2, 10), 0.1, np.float32)


@pytest.fixture
def version(tmp_path):
    """A served version with its bundle: (folder below tmp_path) -> it."""

    def make(name="digits/179"):
        folder = tmp_path / name
        bundle = folder / baseline_bundle.BUNDLE
        (bundle / "baseline_statistics" / "Split-eval").mkdir(parents=True)
        (bundle / "schema").mkdir()
        (bundle / "schema" / "schema.pbtxt").touch()
        (folder / "saved_model.pb").touch()
        number = baseline_bundle.version_of(str(folder))
        manifest = Manifest(number, SPEC, "2026-01-02T03:04:05+00:00", "/m", None, "", None, None, None, "2", "1")
        (bundle / "manifest.json").write_text(manifest.to_json())
        return str(folder)

    return make


def logged(logs):
    return [read_origin(record) for record in records(visible(logs))], records(visible(logs))


def test_it_knows_name_version_signature_and_where_logs_go(tmp_path, version):
    with ServingLogWriter.for_bundle(version(), span=5) as writer:
        assert writer.log({"input_image": IMAGES}, {"dense_1": SCORES})
    origins, (record,) = logged(tmp_path / "serving_logs")
    assert [(origin.model_name, origin.model_version) for origin in origins] == [(b"digits", 179)]
    assert record.log_metadata.model_spec.signature_name == "predict"
    assert writer.counts.unfit == 0


def test_a_folder_that_is_no_number_is_a_model_without_a_version(tmp_path, version):
    with ServingLogWriter.for_bundle(version("my_model"), str(tmp_path / "logs"), span=5, sampling_rate=0.5) as writer:
        accepted = [writer.log({"input_image": IMAGES}, {"dense_1": SCORES}) for _ in range(20)]
    assert 0 < sum(accepted) < 20
    origins, found = logged(tmp_path / "logs")
    assert {(origin.model_name, origin.model_version) for origin in origins} == {(b"my_model", None)}
    assert found[0].log_metadata.sampling_config.sampling_rate == 0.5


def test_the_name_can_be_given(tmp_path, version):
    with ServingLogWriter.for_bundle(version(), name="mine", span=1) as writer:
        writer.log({"input_image": IMAGES}, {"dense_1": SCORES})
    assert logged(tmp_path / "serving_logs")[0][0].model_name == b"mine"


def test_without_a_bundle_it_says_so(tmp_path):
    (tmp_path / "9").mkdir()
    with pytest.raises(MonitorError, match=r"has no baseline bundle .* `model-monitor adopt`"):
        ServingLogWriter.for_bundle(str(tmp_path / "9"))


def test_a_request_that_does_not_fit_is_logged_counted_and_warned_of_once(tmp_path, version, caplog):
    with (
        caplog.at_level(logging.WARNING),
        ServingLogWriter.for_bundle(version(), str(tmp_path / "logs"), span=5) as writer,
    ):
        for _ in range(3):
            assert writer.log({"input_image": 255 * IMAGES}, {"dense_1": SCORES})
        assert writer.log({"input_image": IMAGES}, {"dense_1": SCORES})
        assert writer.log({"input_image": 255 * IMAGES}, {"dense_1": SCORES})  # no longer looked at: one has fitted
    assert (writer.counts.written, writer.counts.unfit, writer.counts.failed) == (5, 3, 0)
    (warning,) = [record.getMessage() for record in caplog.records if "spec" in record.getMessage()]
    assert (
        "input 'input_image' must hold pixels on the scale 0..1. Received: 0 to 255, as of pixels on the scale"
        in warning
    )


@pytest.mark.parametrize(
    ("inputs", "outputs", "spec", "expected"),
    [
        ({"input_image": IMAGES}, {"dense_1": SCORES}, {}, None),
        ({"input_image": IMAGES[0]}, {"dense_1": SCORES[:1]}, {}, None),
        ({"input_image": IMAGES.reshape(2, 784)}, {"dense_1": SCORES.tolist()}, {}, None),
        ({"input_image": [b"a file", b"another"]}, {"dense_1": SCORES}, {}, None),
        (
            {"image": IMAGES},
            {"dense_1": SCORES},
            {},
            "the inputs must have 'input_image', the model's input of images. Received: ['image']",
        ),
        (
            {"input_image": IMAGES[:, :20]},
            {"dense_1": SCORES},
            {},
            "must have the shape [?, 28, 28, 1] or [?, 28, 28] or [?, 784]. Received: [2, 20, 28, 1]",
        ),
        (
            {"input_image": (IMAGES * 255).astype(np.uint8)},
            {"dense_1": SCORES},
            {"image": {"dtype": "float32"}},
            "must be of type float32. Received: uint8",
        ),
        ({"input_image": IMAGES}, {"dense": SCORES}, {}, "among the model's outputs, dense. Received: 'dense_1'"),
        (
            {"input_image": IMAGES},
            {"dense_1": SCORES[:, :7]},
            {},
            "must have the shape [batch, 10]. Received: [2, 7]",
        ),
        ({"input_image": IMAGES}, {"dense_1": 30 * SCORES - 1}, {}, "these look like logits"),
        ({"input_image": IMAGES}, {"dense_1": SCORES * np.nan}, {}, "Received: 2 of 2 are not"),
    ],
)
def test_what_is_not_as_the_spec_says_is_said_with_what_was_wanted(inputs, outputs, spec, expected):
    found = problems(inputs, outputs, digits_spec(**spec))
    if expected is None:
        assert found == []
    else:
        assert any(expected in sentence for sentence in found), found


def test_the_manifest_is_read_as_it_was_pushed(version):
    manifest = baseline_bundle.read(version()).manifest
    assert json.loads(manifest.to_json())["spec"]["signatures"] == {"serve": "predict"}
