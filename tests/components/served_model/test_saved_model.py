"""Real SavedModels of Keras 3, saved in each of the usual ways, load and answer."""

import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from components.common.errors import MonitorError
from components.served_model.saved_model import SavedModel
from components.served_model.tensors import ModelFailedError, TensorInfo


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


@pytest.mark.parametrize("damage", ["truncated", "no variables"])
def test_a_model_that_is_not_whole_is_refused(network, tmp_path, damage):
    network.export(str(tmp_path), verbose=False)
    if damage == "truncated":
        (tmp_path / "saved_model.pb").write_bytes((tmp_path / "saved_model.pb").read_bytes()[:100])
    else:
        shutil.rmtree(tmp_path / "variables")
    with pytest.raises(ModelFailedError, match="cannot be loaded"):
        SavedModel(str(tmp_path))


def _version_1(folder, tag_sets):
    """A SavedModel of TensorFlow 1 with a graph for each tag set, which answer twice, three times ... the input."""
    v1 = tf.compat.v1
    builder = v1.saved_model.builder.SavedModelBuilder(folder)
    for number, tags in enumerate(tag_sets):
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 2], "x")
            y = x * v1.get_variable("w", initializer=2.0) + number * x
            session.run(v1.global_variables_initializer())
            signature = v1.saved_model.signature_def_utils.predict_signature_def({"x": x}, {"y": y})
            signatures = {"serving_default": signature}
            if number:
                builder.add_meta_graph(tags, signature_def_map=signatures)
            else:
                init = v1.global_variables_initializer()
                builder.add_meta_graph_and_variables(session, tags, signature_def_map=signatures, main_op=init)
    builder.save()


@pytest.mark.parametrize(
    ("tag_sets", "times"), [([["serve"]], 2), ([["train"], ["serve"]], 3), ([["serve"], ["serve", "gpu"]], 2)]
)
def test_of_several_tag_sets_the_one_that_a_server_loads_answers(tmp_path, tag_sets, times):
    _version_1(str(tmp_path / "model"), tag_sets)
    model = SavedModel(str(tmp_path / "model"))
    assert list(model.signatures) == ["serving_default"]
    assert model.signature("serving_default")({"x": np.ones((1, 2))})["y"].tolist() == [[times, times]]


@pytest.mark.parametrize("tag_sets", [[["train"]], [["serve", "gpu"]], [["train"], []]])
def test_a_model_without_the_tag_set_of_servers_is_refused(tmp_path, tag_sets):
    _version_1(str(tmp_path / "model"), tag_sets)
    told = re.escape(f"a server loads the tag set ['serve'], and the model has {[sorted(each) for each in tag_sets]}")
    with pytest.raises(ModelFailedError, match=f"cannot be loaded: {told}$"):
        SavedModel(str(tmp_path / "model"))


@pytest.mark.parametrize(("tags", "answers"), [(["train"], False), (["serve"], True)])
def test_tag_sets_count_in_a_model_of_tensorflow_2_as_well(network, tmp_path, tags, answers):
    network.export(str(tmp_path), verbose=False)
    path = tmp_path / "saved_model.pb"
    proto = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    if answers:  # a second graph, as of a converter for other hardware
        proto.meta_graphs.add().CopyFrom(proto.meta_graphs[0])
        tags = ["serve", "tpu"]
    proto.meta_graphs[-1].meta_info_def.tags[:] = tags
    path.write_bytes(proto.SerializeToString())
    if answers:
        signature = SavedModel(str(tmp_path)).signature("serving_default")
        assert signature({"input_image": IMAGES})["output_0"].shape == (2, 3)
    else:
        with pytest.raises(ModelFailedError, match=r"and the model has \[\['train'\]\]"):
            SavedModel(str(tmp_path))


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
