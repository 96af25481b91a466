"""What `new` tells from Examples without a model, and the project that it writes."""

import ast
import importlib.util
from pathlib import Path

import jinja2
import numpy as np
import pytest

from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from model_monitor.onboarding import project
from model_monitor.onboarding.starting import guess_data
from tests.support.plain_models import examples, held_out, pixels, png


def test_a_spec_is_told_from_labelled_images():
    spec = guess_data(held_out(), {}).spec()
    assert (spec.image.feature, spec.image.format, spec.image.channels) == ("image/encoded", "encoded", 1)
    assert (spec.image.size, spec.image.dtype, spec.input) == ((6, 6), "string", "image")
    assert (spec.label, spec.id, spec.classes) == ("image/label", "image/id", ("0", "1", "2"))
    assert (spec.signatures.serve, spec.signatures.examples) == ("serving_default", "serve_examples")


def test_images_of_many_sizes_are_taken_as_they_are():
    images, labels = pixels(40)
    files = [png(image[: 4 + number % 3]) for number, image in enumerate(images)]
    assert guess_data(examples(image=files, label=labels.tolist()), {}).spec().image.size is None


def test_raw_pixels_need_their_size_to_be_said():
    data = held_out(raw=True)
    with pytest.raises(MonitorError, match="No feature of the Examples holds images"):
        guess_data(data, {})
    spec = guess_data(data, {"image": {"size": [6, 6], "channels": 1}}).spec()
    assert (spec.image.format, spec.image.shape) == ("raw", (6, 6, 1))


def test_two_labels_are_asked_about():
    _, labels = pixels(60)
    draft = guess_data(held_out(class_again=labels.tolist()), {})
    assert [question.key for question in draft.questions] == ["label"]
    assert guess_data(held_out(class_again=labels.tolist()), {"label": "class_again"}).spec().label == "class_again"


def test_classes_that_were_named_are_as_many_as_were_named():
    spec = guess_data(held_out(), {"classes": ["a", "b", "c", "d"]}).spec()
    assert spec.classes == ("a", "b", "c", "d")


def test_examples_without_labels_are_refused():
    with pytest.raises(MonitorError, match="No feature of the Examples holds labels, names or whole"):
        guess_data(held_out(image__label=None), {})


NAMES = ["dog", "cat", "owl"]


def named(labels):
    return [NAMES[label].encode() for label in labels]


@pytest.mark.parametrize(
    ("write", "classes", "first"),
    [
        (named, ("cat", "dog", "owl"), 0),
        (lambda labels: (labels + 1).tolist(), ("1", "2", "3"), 1),
        (lambda labels: [str(label + 1).encode() for label in labels], ("1", "2", "3"), 1),
        (lambda labels: labels.astype(float).tolist(), ("0", "1", "2"), 0),
    ],
    ids=["names", "from 1", "digits from 1", "floats"],
)
def test_labels_are_names_or_numbers(write, classes, first):
    _, labels = pixels(60)
    spec = guess_data(held_out(image__label=write(labels)), {}).spec()
    assert (spec.label, spec.classes, spec.labels_from) == ("image/label", classes, first)


def test_numbers_are_taken_before_the_names_beside_them():
    _, labels = pixels(60)
    spec = guess_data(held_out(image__class__text=named(labels)), {}).spec()
    assert (spec.label, spec.classes) == ("image/label", tuple(NAMES))


LABEL = held_out().features["image/label"]


def trainer_of(folder, data):
    """The trainer of a project for these Examples, as a module, and its spec."""
    spec = guess_data(data, {}).spec()
    project.write(folder, spec, data.features[spec.label], "/data", "*")
    found = importlib.util.spec_from_file_location("written_trainer", folder / "trainer.py")
    trainer = importlib.util.module_from_spec(found)
    found.loader.exec_module(trainer)
    return trainer, spec


def test_the_trainer_reads_names_as_the_spec_does(tmp_path):
    _, labels = pixels(60)
    trainer, spec = trainer_of(tmp_path / "mine", held_out(image__label=named(labels)))
    import tensorflow as tf

    def write(file, *texts):
        with tf.io.TFRecordWriter(str(tmp_path / file), "GZIP") as writer:
            for text in texts:
                value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
                example = tf.train.Example(features=tf.train.Features(feature={"image/label": value}))
                writer.write(example.SerializeToString())
        return [str(tmp_path / file)]

    number = trainer.class_numbers(write("a", b"owl", b"cat", b"Dog "), spec)
    assert number(tf.constant([b"Dog ", b"owl", b"cat"])).numpy().tolist() == [1, 2, 0]
    assert number(tf.constant(b"owl")).numpy() == 2
    with pytest.raises(
        ValueError, match="a label must be a class, such as 'cat', or its number, 0 to 2, and one is b'cow'"
    ):
        trainer.class_numbers(write("b", b"owl", b"cow"), spec)


@pytest.fixture
def spec():
    return guess_data(held_out(), {}).spec()


def test_every_python_file_of_a_project_is_python(spec, tmp_path):
    written = project.write(tmp_path / "My Digits", spec, LABEL, "/data/it's", '*.tfrecord"')
    names = {str(file.relative_to(tmp_path / "My Digits")) for file in written}
    assert names == {
        "monitor.yaml",
        "Dockerfile",
        "README.md",
        "pipeline.py",
        "schema/eval_config.pbtxt",
        "tests/test_pipeline.py",
        "trainer.py",
    }
    trees = {file.name: ast.parse(file.read_text()) for file in written if file.suffix == ".py"}
    [folder] = [
        node for node in trees["pipeline.py"].body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
    ]
    assert ast.literal_eval(folder.value) == ("/data/it's", '*.tfrecord"')
    assert 'NAME = "my-digits"' in (tmp_path / "My Digits" / "pipeline.py").read_text()
    assert ModelSpec.load(written[0]) == spec


def test_the_bound_lies_between_chance_and_perfect(spec, tmp_path):
    project.write(tmp_path / "a", spec, LABEL, "/data", "*")
    assert (
        f"lower_bound {{ value: {np.round(1 / 3 + 2 / 3 / 4, 3)} }}"
        in (tmp_path / "a/schema/eval_config.pbtxt").read_text()
    )


def test_a_folder_with_files_is_left_alone(spec, tmp_path: Path):
    (tmp_path / "mine.py").touch()
    with pytest.raises(MonitorError, match="must be new or empty"):
        project.write(tmp_path, spec, LABEL, "/data", "*")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.py"]


def test_a_value_that_a_template_wants_and_nothing_gives_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        project.filled("{{ missing }}", {})
