"""What `new` tells from Examples without a model, and the project that it writes."""

import ast
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
    with pytest.raises(MonitorError, match="No feature of the Examples holds labels, whole numbers from 0"):
        guess_data(held_out(image__label=None), {})


@pytest.fixture
def spec():
    return guess_data(held_out(), {}).spec()


def test_every_python_file_of_a_project_is_python(spec, tmp_path):
    written = project.write(tmp_path / "My Digits", spec, "/data/it's", '*.tfrecord"')
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
    project.write(tmp_path / "a", spec, "/data", "*")
    assert (
        f"lower_bound {{ value: {np.round(1 / 3 + 2 / 3 / 4, 3)} }}"
        in (tmp_path / "a/schema/eval_config.pbtxt").read_text()
    )


def test_a_folder_with_files_is_left_alone(spec, tmp_path: Path):
    (tmp_path / "mine.py").touch()
    with pytest.raises(MonitorError, match="must be new or empty"):
        project.write(tmp_path, spec, "/data", "*")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.py"]


def test_a_value_that_a_template_wants_and_nothing_gives_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        project.filled("{{ missing }}", {})
