"""Real SavedModels of Keras 3, saved in each of the usual ways, load and answer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.common.errors import MonitorError
from components.served_model.saved_model import ModelFailedError, SavedModel
from components.served_model.tensors import TensorInfo


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    layers = [keras.Input((4, 4, 1), name="input_image"), keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential([*layers, keras.layers.Softmax()])


IMAGES = np.random.default_rng(0).random((2, 4, 4, 1), np.float32)


@pytest.mark.parametrize("way", ["export", "module", "archive"])
def test_a_keras_3_model_saved_in_any_usual_way_answers(network, tmp_path, way):
    folder = str(tmp_path / "model")
    if way == "export":
        network.export(folder, verbose=False)
    elif way == "archive":
        archive = keras.export.ExportArchive()
        archive.track(network)
        spec = tf.TensorSpec([None, 4, 4, 1], tf.float32, name="input_image")
        archive.add_endpoint("serving_default", lambda x: {"dense": network(x)}, input_signature=[spec])
        archive.write_out(folder, verbose=False)
    else:
        tf.saved_model.save(network, folder)
    signature = SavedModel(folder).signature("serving_default")
    ((name, info),) = signature.inputs.items()
    assert info == TensorInfo((None, 4, 4, 1), "float32")
    (output,) = signature({name: IMAGES.astype(np.float64)}).values()  # cast to what the model takes
    np.testing.assert_allclose(output, network(IMAGES), rtol=1e-5)
    assert list(signature.outputs.values()) == [TensorInfo((None, 3), "float32")]


def test_what_cannot_be_loaded_says_why(network, tmp_path):
    network.save(tmp_path / "model.keras")
    with pytest.raises(ModelFailedError, match=r"a file of Keras, no SavedModel: write one with model.export"):
        SavedModel(str(tmp_path / "model.keras"))
    with pytest.raises(MonitorError, match="cannot be loaded"):
        SavedModel(str(tmp_path / "nowhere"))


def test_a_model_without_signatures_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(ModelFailedError, match="has no signature, so no server can ask it"):
        SavedModel(str(tmp_path))


def test_an_unknown_signature_lists_those_there_are(network, tmp_path):
    network.export(str(tmp_path / "model"), verbose=False)
    with pytest.raises(
        ModelFailedError, match=r"no signature 'serving_defalt', only .*'serving_default'.*did you mean"
    ):
        SavedModel(str(tmp_path / "model")).signature("serving_defalt")


def test_a_model_that_fails_says_how(network, tmp_path):
    network.export(str(tmp_path / "model"), verbose=False)
    signature = SavedModel(str(tmp_path / "model")).signature("serving_default")
    with pytest.raises(ModelFailedError, match="the model fails: "):
        signature({"input_image": np.zeros((1, 5, 5, 1), np.float32)})
