"""`model-monitor init` on real SavedModels: what it prints and writes, and when it writes nothing."""

import pytest

from components.common.model_spec import ModelSpec
from model_monitor import cli
from model_monitor.onboarding import described
from tests.support.foreign_data import Labelled, write_examples
from tests.support.plain_models import SIDE, pixels

FEATURES = {"image": "image/encoded", "label": "image/label", "id": "image/id"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with Examples and two models that tell grey levels: of floats, and of image files."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("init")
    images, labels = pixels(60)
    data = Labelled(tuple(images), tuple(labels.tolist()), tuple(f"image-{number}" for number in range(60)))
    write_examples(folder / "held_out" / "a.tfrecord.gz", data.part(0, 30), FEATURES)
    write_examples(folder / "held_out" / "b.tfrecord.gz", data.part(30, 60), FEATURES)

    def answer(x):
        means = tf.reduce_mean(x, axis=[1, 2, 3])[:, tf.newaxis]
        return {"dense": tf.nn.softmax(-200 * (means - (tf.range(3.0) + 0.5) / 3) ** 2)}

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 1], tf.float32, "x")])
    def floats(x):
        return answer(x)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "files")])
    def files(files):
        decoded = tf.map_fn(
            lambda file: tf.ensure_shape(tf.io.decode_png(file, 1), [SIDE, SIDE, 1]),
            files,
            fn_output_signature=tf.uint8,
        )
        return answer(tf.cast(decoded, tf.float32) / 255)

    module = tf.Module()
    tf.saved_model.save(module, str(folder / "floats"), signatures={"serving_default": floats})
    tf.saved_model.save(module, str(folder / "files"), signatures={"serving_default": files})
    return folder


def init(home, model, out, *more):
    examples = str(home / "held_out" / "*.tfrecord*")
    return cli.main(["init", "--saved-model", str(home / model), "--examples", examples, "-o", str(out), *more])


@pytest.mark.parametrize(("model", "dtype"), [("floats", None), ("files", "string")])
def test_the_spec_is_written_and_the_next_command_named(home, model, dtype, tmp_path, capfd):
    out = tmp_path / "monitor.yaml"
    assert init(home, model, out) == 0
    spec = ModelSpec.load(out)
    assert (spec.image.dtype, spec.image.channels, spec.label, spec.num_classes) == (dtype, 1, "image/label", 3)
    printed = capfd.readouterr().out
    assert "60 of 60 labelled are right" in printed
    lines = [line.strip() for line in printed.splitlines()]
    assert str(out) in lines  # a line of its own, whatever its length
    assert lines[-1].startswith(f"model-monitor adopt --spec {out} --examples ")


def test_what_has_to_be_asked_is_exit_code_1_and_no_file(home, tmp_path, capfd):
    out = tmp_path / "monitor.yaml"
    assert init(home, "floats", out, "--set", "label=null") == 1
    printed = capfd.readouterr().out
    assert "--set 'image.range=[0, 1]'" in [line.strip() for line in printed.splitlines()]
    assert not out.exists()
    assert init(home, "floats", out, "--set", "label=null", "--set", "image.range=[0, 1]") == 0
    assert ModelSpec.load(out).label is None


def test_class_names_come_from_a_file(home, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("dark\nmiddle\nlight\n")
    assert init(home, "floats", tmp_path / "monitor.yaml", "--set", f"classes={names}") == 0
    assert ModelSpec.load(tmp_path / "monitor.yaml").classes == ("dark", "middle", "light")


def test_a_file_is_written_over_only_when_told(home, tmp_path, capfd):
    out = tmp_path / "monitor.yaml"
    out.write_text("mine")
    assert init(home, "floats", out) == 1
    assert "be a new file, or come with --force" in capfd.readouterr().err
    assert out.read_text() == "mine"
    assert init(home, "floats", out, "--force") == 0
    assert ModelSpec.load(out).num_classes == 3


@pytest.mark.parametrize(
    ("model", "more", "expected"),
    [
        ("nowhere", (), "cannot be loaded"),
        ("floats", ("--count", "5"), "`--count` must be 20 or more"),
        ("floats", ("--set", "image.range"), "`--set` must be key=value"),
        ("floats", ("--set", "image.range=[1, 0]"), "must be [low, high] with low < high"),
        ("floats", ("--set", "classes=nowhere.txt"), "nowhere.txt"),
    ],
)
def test_a_mistake_is_an_error_in_one_sentence(home, model, more, expected, tmp_path, capfd):
    assert init(home, model, tmp_path / "monitor.yaml", *more) == 1
    error = capfd.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert not (tmp_path / "monitor.yaml").exists()


def test_a_pattern_without_files_says_so(tmp_path, capfd):
    arguments = ["--saved-model", str(tmp_path), "--examples", str(tmp_path / "*"), "-o", str(tmp_path / "m.yaml")]
    assert cli.main(["init", *arguments]) == 1
    assert "name TFRecord files, as in 'held_out/*.tfrecord*'" in capfd.readouterr().err


def test_files_take_turns_so_that_all_classes_are_seen(home):
    found = described.read_examples(str(home / "held_out" / "*"), 4)
    assert found.column("image/id") == [b"image-0", b"image-30", b"image-1", b"image-31"]
