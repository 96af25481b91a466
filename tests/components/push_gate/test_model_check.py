"""Models of Keras 3 with inputs of every kind, asked by the gate about held-out examples of real images."""

import sys
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.common.artifacts.anomalies import anomaly_types
from components.common.artifacts.files import Artifact, local_files
from components.common.errors import MonitorError
from components.common.verdict import Outcome
from components.push_gate.model_check import judge_model, judge_signature
from components.push_gate.policy import CanaryPolicy, parse_policy
from components.served_model.saved_model import SavedModel
from tests.support import foreign_data, hostile_models
from tests.support.gate import Classifier, save
from tests.support.model_specs import digits_spec
from tests.support.trainers import digits_trainer, photos_trainer

PHOTOS = digits_spec(
    image={"feature": "jpeg", "format": "jpeg", "channels": 3, "size": None, "input": "image_bytes", "range": None},
    label="is_flower",
    id="name",
    classes=["temple", "flower"],
    outputs={"scores": "flower", "kind": "sigmoid"},
)


@pytest.fixture(scope="module")
def digit_network():
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])


@pytest.fixture(scope="module")
def photo_network():
    keras.utils.set_random_seed(1)
    layers = [keras.Input((48, 48, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Rescaling(1 / 255)]
    return keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    """`Examples` with the splits train, which holds nothing readable, and eval: of digits or of photographs."""
    made = {}
    names = {"image": "image/encoded", "label": "image/class/label", "id": "image/id"}
    photos = {"image": "jpeg", "label": "is_flower", "id": "name"}
    for kind, data, features, file_type in (
        ("digits", foreign_data.digits().part(0, 20), names, "PNG"),
        ("photos", foreign_data.crops(20), photos, "JPEG"),
    ):
        folder = tmp_path_factory.mktemp(kind)
        foreign_data.write_examples(folder / "Split-eval" / "data.gz", data, features, file_type)
        foreign_data.write_examples(folder / "Split-train" / "data.gz", data, {}, file_type)
        made[kind] = Artifact(str(folder), properties={"split_names": '["train", "eval"]'})
    return made


@pytest.fixture(scope="module")
def digits_model(tmp_path_factory, digit_network):
    """The folder of the model of digits that gives logits or not: saved once."""

    @cache
    def folder(*, logits=False):
        return saved(tmp_path_factory, lambda path: digits_trainer.save(digit_network, path, logits=logits))

    return folder


@pytest.fixture(scope="module")
def photos_model(tmp_path_factory, photo_network):
    return saved(tmp_path_factory, lambda path: photos_trainer.save(photo_network, path))


def saved(tmp_path_factory, save):
    folder = tmp_path_factory.mktemp("model")
    save(str(folder / "Format-Serving"))
    return folder


def judge(folder, spec, examples=None, policy="", own_process=False):
    """The canary's check of the model in a folder, asked in this process or in one of its own."""
    given = [examples] if examples else []
    parsed = parse_policy(policy, anomaly_types(), spec).canary
    if own_process:
        return judge_model(Artifact(str(folder)), given, parsed, spec, local_files())
    signature = SavedModel(str(folder / "Format-Serving")).signature(parsed.signature)
    return judge_signature(signature, given, parsed, spec, local_files())


@pytest.mark.parametrize("examples", [False, True])
@pytest.mark.parametrize("logits", [False, True])
def test_floats_probabilities_or_logits_pass(digits_model, held_out, logits, examples):
    spec = digits_spec(outputs={"kind": "logits" if logits else "probabilities"})
    given = held_out["digits"] if examples else None
    verdict = judge(digits_model(logits=logits), spec, given)
    assert verdict.outcome is Outcome.PASSED, verdict
    kind = "2 batches of held-out examples" if examples else "6 made-up batches"
    assert verdict.reason == f"signature serving_default answered {kind} properly"


@pytest.mark.parametrize("signature", ["serving_default", "serve_examples"])
def test_a_model_that_takes_strings_is_asked_with_files_or_examples(photos_model, held_out, signature):
    record = PHOTOS.to_record()
    record["signatures"] = {"serve": signature, "examples": "serve_examples"}
    spec = type(PHOTOS).from_record(record)
    own = signature == "serving_default"  # strings to another process and back
    verdict = judge(photos_model, spec, held_out["photos"], own_process=own)
    assert verdict.outcome is Outcome.PASSED, verdict


def test_a_model_that_takes_strings_is_undecided_without_examples(photos_model):
    verdict = judge(photos_model, PHOTOS)
    assert verdict.outcome is Outcome.UNDECIDED
    assert "input 'image_bytes' is string [?], and strings cannot be made up" in verdict.reason
    assert "Pass `examples` and `spec` to PushGate" in verdict.reason


def test_a_sigmoid_out_of_range_is_blocked_and_said_once(tmp_path_factory, photo_network, held_out):
    network = keras.Sequential([photo_network, keras.layers.Rescaling(1, offset=3)])
    folder = saved(tmp_path_factory, lambda path: photos_trainer.save(network, path))
    verdict = judge(folder, PHOTOS, held_out["photos"])
    assert verdict.outcome is Outcome.FAILED
    assert [finding.what for finding in verdict.findings] == ["range"]
    assert verdict.reason.endswith("say `kind: logits` (held-out examples, batch of 1, and 1 other batch)")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"classes": ["a", "b", "c"]}, "the spec has 3 classes, and output 'dense_1' is float32 [?, 10]"),
        (
            {"outputs": {"scores": "probs"}},
            "`outputs.scores` must be an output of signature 'serving_default': dense_1",
        ),
        ({"image": {"input": "image"}}, "`image.input` must be an input of signature 'serving_default': input_image"),
        ({"image": {"size": [32, 32]}}, "input 'input_image' must have the shape [?, 32, 32, 1]"),
    ],
)
@pytest.mark.parametrize("examples", [False, True])
def test_a_model_that_is_not_what_its_spec_says_is_blocked(digits_model, held_out, spec, expected, examples):
    verdict = judge(digits_model(), digits_spec(**spec), held_out["digits"] if examples else None)
    assert verdict.outcome is Outcome.FAILED
    assert expected in verdict.reason


def test_examples_of_which_none_can_be_asked_about_leave_it_undecided(digits_model, held_out):
    spec = digits_spec(image={"feature": "picture"})
    verdict = judge(digits_model(), spec, held_out["digits"])
    assert verdict.outcome is Outcome.UNDECIDED
    assert "must hold an image that the model can be asked about. Received: none in" in verdict.reason


def test_examples_that_are_gone_leave_it_undecided(digits_model):
    gone = Artifact("/nowhere", properties={"split_names": '["eval"]'})
    verdict = judge(digits_model(), digits_spec(), gone)
    assert verdict.outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("examples", [False, True])
def test_nan_in_bfloat16_is_blocked(tmp_path_factory, held_out, examples):
    """NumPy does not count bfloat16 as a number that could be infinite."""
    layers = [keras.layers.Input((28, 28, 1), name="input_image"), keras.layers.Flatten()]
    network = keras.Sequential(
        [*layers, keras.layers.Dense(10, activation="softmax", name="dense_1", dtype="bfloat16")]
    )
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel * np.nan, bias])
    given = held_out["digits"] if examples else None
    spec = digits_spec(outputs={"scores": "output_0"}, image={"input": "input_image"})
    folder = saved(tmp_path_factory, lambda path: network.export(path, verbose=False))
    verdict = judge(folder, spec, given)
    assert verdict.outcome is Outcome.FAILED
    assert "output output_0 has 100% values that are not finite" in verdict.reason
    assert network(tf.zeros((1, 28, 28, 1))).dtype == tf.bfloat16


class Fails(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def serve(self, x):
        with tf.control_dependencies([tf.debugging.assert_less(x, 200.0, message="too bright for me")]):
            return {"class_id": tf.argmax(x, axis=1), "probabilities": tf.nn.softmax(x)}


class TakesText(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="x")])
    def serve(self, x):
        return {"class_id": tf.strings.length(x)}


@pytest.mark.parametrize(
    ("module", "outcome", "reason"),
    [
        (lambda: Classifier(scale=float("nan")), Outcome.FAILED, "not finite"),
        (Fails, Outcome.FAILED, "InvalidArgumentError: assertion failed: [too bright for me]"),
        (TakesText, Outcome.UNDECIDED, "input 'x' is string [?], and strings cannot be made up"),
    ],
)
def test_a_model_that_cannot_serve_is_blocked(tmp_path, module, outcome, reason):
    save(module(), tmp_path)
    verdict = judge(tmp_path, None, policy="canary: {num_classes: 4}")
    assert (verdict.name, verdict.outcome) == ("canary", outcome)
    assert reason in verdict.reason


def test_a_policy_that_contradicts_the_spec_is_refused(tmp_path):
    with pytest.raises(MonitorError, match=r"`canary.num_classes` must be what the model's spec says, 10"):
        judge(tmp_path, digits_spec(), policy="canary: {num_classes: 4}")


@pytest.mark.parametrize(
    ("name", "bounds", "told"),
    [
        ("Loops", {"timeout": 4}, "the model did not answer within the 4 s that it has (canary.timeout)"),
        ("Grows", {"memory": 1100}, "MiB of memory to answer, and may take 1,100 MiB (canary.memory)"),
    ],
)
def test_a_model_that_would_harm_a_server_fails(tmp_path, name, bounds, told):
    hostile_models.save(getattr(hostile_models, name), tmp_path / "Format-Serving")
    policy = CanaryPolicy(num_classes=2, class_id=None, **bounds)
    check = judge_model(Artifact(str(tmp_path)), [], policy, None, local_files())
    assert check.outcome is Outcome.FAILED
    assert told in check.reason


def test_a_process_that_cannot_start_leaves_it_undecided(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    check = judge_model(Artifact("/nowhere"), [], CanaryPolicy(num_classes=2), None, local_files())
    assert check.outcome is Outcome.UNDECIDED
    assert "could not be started: [Errno 2]" in check.reason


def test_a_model_of_which_there_are_several_exports_is_undecided(tmp_path):
    for name in ("1", "2"):
        (tmp_path / "serving_model_dir" / "export" / "flowers" / name).mkdir(parents=True)
    check = judge_model(Artifact(str(tmp_path)), [], CanaryPolicy(num_classes=2), None, local_files())
    assert check.outcome is Outcome.UNDECIDED
    assert "must hold one model. Received: ['1', '2']" in check.reason
