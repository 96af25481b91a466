"""Real training of a few steps on images of the sample, and what it exports, called as servers and components do."""

import gzip
import json
import logging
from pathlib import Path

import apache_beam as beam
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx_bsl.public.beam import RunInference
from tfx_bsl.public.proto import model_spec_pb2

from components.common.errors import MonitorError
from pipelines.cifar10.classifier import build, fit_whitening
from pipelines.cifar10.config import TrainerConfig, default_spec
from pipelines.cifar10.serving_signatures import fit_projection
from pipelines.cifar10.trainer import fit, read_class_names, read_config, run_fn
from pipelines.cifar10.training_data import HeldSplit, LabelledImages, validation_batches

pytestmark = pytest.mark.long

SAMPLE = Path(__file__).parents[3] / "data" / "cifar10_sample" / "data_batch_1.bin.gz"
COUNT = 480
CLASSES = default_spec().classes
SETTINGS = {"model": "tiny_cnn", "epochs": 2, "batch_size": 32, "seed": 3}


@pytest.fixture(scope="module")
def sample():
    """Images [COUNT, 32, 32, 3] and labels [COUNT]."""
    records = np.frombuffer(gzip.decompress(SAMPLE.read_bytes()), np.uint8).reshape(-1, 3073)[:COUNT]
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


@pytest.fixture(scope="module")
def examples(sample):
    return [serialised(image, label) for image, label in zip(*sample, strict=True)]


def serialised(image, label):
    example = tf.train.Example()
    example.features.feature["image"].bytes_list.value.append(image.tobytes())
    example.features.feature["label"].int64_list.value.append(int(label))
    return example.SerializeToString()


def arguments(folder, examples, settings, **other):
    """What TFX's Trainer hands to run_fn. The evaluation split does not exist: reading it would be an error."""
    path = folder / "Split-train" / "data_tfrecord-00000-of-00001.gz"
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for example in examples:
            writer.write(example)
    return FnArgs(
        train_files=[str(path.parent / "*")],
        eval_files=[str(folder / "Split-eval" / "*")],
        serving_model_dir=str(folder / "Format-Serving"),
        model_run_dir=str(folder / "run"),
        **{"custom_config": {"trainer": json.dumps(settings)}, **other},
    )


class ProgressLines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


@pytest.fixture(scope="module")
def trained(examples, tmp_path_factory):
    """The folder of one training, and its progress lines."""
    folder, handler, logger = tmp_path_factory.mktemp("a"), ProgressLines(), logging.getLogger("model_monitor.progress")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        run_fn(arguments(folder, examples, SETTINGS))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    return folder, handler.lines


@pytest.fixture(scope="module")
def loaded(trained):
    return tf.saved_model.load(str(trained[0] / "Format-Serving"))


def serve(model, images):
    return {k: v.numpy() for k, v in model.signatures["serving_default"](image=tf.constant(images)).items()}


@pytest.mark.parametrize("batch", [1, 7])
def test_serving_default_keeps_its_contract(loaded, sample, batch):
    outputs = serve(loaded, sample[0][:batch])
    assert {name: (value.shape, value.dtype) for name, value in outputs.items()} == {
        "class_id": ((batch,), np.int64),
        "class_name": ((batch,), np.object_),
        "probabilities": ((batch, 10), np.float32),
        "confidence": ((batch,), np.float32),
        "embedding": ((batch, 16), np.float32),
    }
    np.testing.assert_allclose(outputs["probabilities"].sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(outputs["class_id"], outputs["probabilities"].argmax(axis=1))
    np.testing.assert_array_equal(outputs["confidence"], outputs["probabilities"].max(axis=1))
    assert [name.decode() for name in outputs["class_name"]] == [CLASSES[i] for i in outputs["class_id"]]


@pytest.mark.parametrize("batch", [1, 7])
def test_both_signatures_agree(loaded, sample, examples, batch):
    from_images = serve(loaded, sample[0][:batch])
    from_examples = loaded.signatures["examples"](examples=tf.constant(examples[:batch]))
    assert from_examples["class_name"].shape == (batch, 1)
    assert from_examples.keys() == from_images.keys()
    for name, value in from_images.items():
        np.testing.assert_array_equal(np.reshape(from_examples[name], value.shape), value, err_msg=name)


def test_inputs_have_their_names_and_types(loaded):
    specs = {name: f.structured_input_signature[1] for name, f in loaded.signatures.items() if name != "serve"}
    assert specs == {
        "serving_default": {"image": tf.TensorSpec([None, 32, 32, 3], tf.uint8, name="image")},
        "examples": {"examples": tf.TensorSpec([None], tf.string, name="examples")},
    }


def test_an_example_with_an_image_of_another_size_is_an_error(loaded):
    two_images_long = serialised(np.zeros((64, 32, 3), np.uint8), 0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="3072"):
        loaded.signatures["examples"](examples=tf.constant([two_images_long]))


def test_it_learns(loaded, sample):
    images, labels = sample
    accuracy = (serve(loaded, images)["class_id"] == labels).mean()
    assert accuracy > 0.2, "two epochs over 432 images and it does no better than chance (0.1)"


def test_embedding_is_the_projection_of_the_training_images(loaded, sample):
    embedding = serve(loaded, sample[0])["embedding"].astype(np.float64)
    # fitted on nine tenths of these images
    np.testing.assert_allclose(embedding.mean(axis=0), 0, atol=0.15)
    np.testing.assert_allclose(embedding.var(axis=0), 1, atol=0.4)
    correlation = np.corrcoef(embedding, rowvar=False) - np.eye(16)
    assert np.abs(correlation).max() < 0.2


def test_progress_and_tensorboard_logs(trained):
    folder, lines = trained
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/2  loss ")
    assert lines[1].startswith("epoch 2/2  loss ")
    assert all("  accuracy 0." in line and "  val_accuracy 0." in line for line in lines)
    for name in ("train", "validation"):
        (events,) = (folder / "run" / name).glob("events.out.tfevents.*")
        tags = {v.tag for record in tf.data.TFRecordDataset(str(events)) for v in parsed_event(record).summary.value}
        assert "epoch_loss" in tags


def parsed_event(record):
    return tf.compat.v1.Event.FromString(record.numpy())


def test_the_seed_decides_and_the_order_of_records_does_not(loaded, sample, examples, tmp_path):
    run_fn(arguments(tmp_path / "same", examples[::-1], SETTINGS))
    run_fn(arguments(tmp_path / "other", examples, {**SETTINGS, "seed": 4}))
    expected = serve(loaded, sample[0][:50])
    same = serve(tf.saved_model.load(str(tmp_path / "same" / "Format-Serving")), sample[0][:50])
    other = serve(tf.saved_model.load(str(tmp_path / "other" / "Format-Serving")), sample[0][:50])
    np.testing.assert_allclose(same["probabilities"], expected["probabilities"], atol=1e-4)
    np.testing.assert_allclose(same["embedding"], expected["embedding"], atol=0.01)
    assert np.abs(other["probabilities"] - expected["probabilities"]).max() > 0.05


def test_the_model_that_is_trained_by_default_learns(sample, tmp_path):
    keras.utils.set_random_seed(0)
    few = LabelledImages(sample[0][:64], sample[1][:64])
    settings = TrainerConfig(epochs=6, batch_size=64, augment=False)
    model = build(settings.model, classes=10)
    fit_whitening(model, few.images)
    fit(model, HeldSplit(few, few, 10), settings, str(tmp_path))
    losses = logged_losses(tmp_path, "train")
    assert len(losses) == 6
    assert losses[-1] < losses[0]


def test_bulk_inference_takes_the_examples_signature(trained, loaded, sample, examples, tmp_path):
    """BulkInferrer's own transform, which fails on models and outputs that TFMA and servers accept."""
    path = str(trained[0] / "Format-Serving")
    spec = model_spec_pb2.InferenceSpecType(
        saved_model_spec=model_spec_pb2.SavedModelSpec(model_path=path, signature_name=["examples"])
    )
    with beam.Pipeline("apache_beam.runners.portability.fn_api_runner.FnApiRunner") as pipeline:
        (
            pipeline
            | beam.Create([tf.train.Example.FromString(e) for e in examples[:9]])
            | RunInference(spec)
            | beam.io.WriteToTFRecord(
                str(tmp_path / "logs"), coder=beam.coders.ProtoCoder(prediction_log_pb2.PredictionLog)
            )
        )
    (file,) = tmp_path.glob("logs*")
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    logs = [prediction_log_pb2.PredictionLog.FromString(record).predict_log for record in records]
    assert len(logs) == 9
    expected = dict(zip(examples[:9], serve(loaded, sample[0][:9])["probabilities"], strict=True))
    for log in logs:
        image = tf.train.Example.FromString(log.request.inputs["examples"].string_val[0]).features.feature["image"]
        key = next(e for e in expected if image.bytes_list.value[0] in e)
        probabilities = tf.make_ndarray(log.response.outputs["probabilities"])[0]
        np.testing.assert_allclose(probabilities, expected[key], atol=1e-5)
        name = tf.make_ndarray(log.response.outputs["class_name"]).item()
        assert name.decode() == CLASSES[probabilities.argmax()]


def test_early_stopping_keeps_the_best_epoch(sample, tmp_path):
    """Validation labels that contradict training: each epoch is worse than the one before, so the first is the best."""
    training = LabelledImages(*sample)
    validation = LabelledImages(sample[0], (sample[1] + 1) % 10)
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, keras.layers.Dense(10, "softmax", kernel_initializer="zeros")(x))
    settings = TrainerConfig(epochs=9, patience=2, learning_rate=1e-3)
    fit(model, HeldSplit(training, validation, 10), settings, str(tmp_path))
    losses = logged_losses(tmp_path, "validation")
    assert len(losses) == 3, "with a patience of 2 the third epoch is the last"
    assert losses[0] < losses[1]
    kept, _ = model.evaluate(validation_batches(validation, classes=10), verbose=0)
    assert kept == pytest.approx(losses[0], abs=1e-5)


def logged_losses(folder, split):
    (events,) = (folder / split).glob("events.out.tfevents.*")
    values = [v for record in tf.data.TFRecordDataset(str(events)) for v in parsed_event(record).summary.value]
    return [float(tf.make_ndarray(v.tensor)) for v in values if v.tag == "epoch_loss"]


@pytest.mark.parametrize(
    ("custom_config", "expected_error"),
    [
        ({"trainer": '{"epoch": 3}'}, r"`custom_config\['trainer'\]` must be a TrainerConfig as JSON: .*\n.*epoch"),
        ({"trainer": '{"epochs": 0}'}, r"`custom_config\['trainer'\]` must be a TrainerConfig"),
        ({"trainer": "{"}, r"`custom_config\['trainer'\]` must be a TrainerConfig"),
        ({"class_names": '["cat"]'}, r"`custom_config\['class_names'\]` must be a JSON list of two or more"),
        ({"class_names": '["cat", "cat"]'}, r"`custom_config\['class_names'\]` must be .* different names"),
        ({"class_names": "cat, dog"}, r"`custom_config\['class_names'\]` must be .*Received: 'cat, dog'"),
        ({"class_names": '["cat", "dog"]'}, "`label` must be 0 to 1 in"),
        (
            {"trainer": '{"learning_rate": 1e30, "model": "tiny_cnn"}'},
            "Training diverged: .*Lower `trainer.learning_rate` .now 1e.30.",
        ),
    ],
)
def test_refuses_what_it_cannot_train_with(tmp_path, examples, custom_config, expected_error):
    with pytest.raises(MonitorError, match=expected_error):
        run_fn(arguments(tmp_path, examples, {}, custom_config=custom_config))
    assert not (tmp_path / "Format-Serving").exists()


def test_a_number_of_steps_is_refused_instead_of_ignored(tmp_path, examples):
    with pytest.raises(MonitorError, match=r"`train_args.num_steps` must not be given: .*Received: 100"):
        run_fn(arguments(tmp_path, examples, {}, train_steps=100))


@pytest.mark.parametrize("custom_config", [None, {}])
def test_the_configuration_has_defaults(custom_config):
    assert read_config(custom_config) == TrainerConfig()
    assert read_class_names(custom_config) == list(CLASSES)


def test_projection_of_known_features():
    """Sixteen of 20 features vary, uncorrelated and with deviations 16, 15, ... 1: they come back in this order."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(400, 16))
    scores = np.linalg.qr(drawn - drawn.mean(axis=0))[0] * np.sqrt(400)  # mean 0, variance 1, uncorrelated, exactly
    features = np.zeros((400, 20), np.float32)
    features[:, :16] = 5 - scores * np.arange(16, 0, -1)
    projection = fit_projection(features)
    embedding = (features - projection.mean) @ projection.components
    # the sign too is fixed: an axis points where its feature grows, so against `scores`
    np.testing.assert_allclose(embedding, -scores, atol=1e-3)


def test_projection_of_features_that_do_not_vary():
    projection = fit_projection(np.full((3, 20), 2.0, np.float32))
    np.testing.assert_array_equal(projection.components, 0)


@pytest.mark.parametrize(
    ("features", "expected_error"),
    [
        (np.zeros((5, 15), np.float32), r"`features` must be \[N, 16 or more\]"),
        (np.full((5, 20), np.nan, np.float32), "`features` must be finite"),
    ],
)
def test_projection_refuses(features, expected_error):
    with pytest.raises(MonitorError, match=expected_error):
        fit_projection(features)
