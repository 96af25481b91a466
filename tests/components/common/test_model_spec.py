"""The description of a served model: what a file may say, what an error says, and what travels."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.common import class_names, pixel_range
from components.common.errors import MonitorError
from components.common.model_spec import ID, IMAGE, LABEL, ImageSpec, ModelSpec
from components.common.pixel_range import PixelRange

ROOT = Path(__file__).parents[3]
LEAST = """
image: {feature: image/encoded, format: encoded, channels: 1, size: [28, 28], input: input_image, range: [0, 1]}
label: image/class/label
id: image/id
classes: ["zero", "one", "two"]
outputs: {scores: dense_1, kind: probabilities, embedding: null}
signatures: {serve: serving_default, examples: serve_examples}
"""


def record(**changes):
    """LEAST with other values by dotted key; a value of ... takes the key away."""
    content = yaml.safe_load(LEAST)
    for dotted, value in changes.items():
        *sections, key = dotted.split("__")
        section = content
        for part in sections:
            section = section[part]
        if value is ...:
            del section[key]
        else:
            section[key] = value
    return content


def test_a_file_says_what_a_model_takes_and_gives(tmp_path):
    file = tmp_path / "monitor.yaml"
    file.write_text(LEAST)
    spec = ModelSpec.load(file)
    assert (spec.image.feature, spec.image.format, spec.input) == ("image/encoded", "encoded", "input_image")
    assert (spec.image_shape, spec.sizes_vary, spec.image.dtype) == ((28, 28, 1), False, None)
    assert spec.image.range == PixelRange.between(0, 1)
    assert (spec.label, spec.id, spec.classes) == ("image/class/label", "image/id", ("zero", "one", "two"))
    assert (spec.outputs.scores, spec.outputs.kind) == ("dense_1", "probabilities")
    assert (spec.outputs.embedding, spec.outputs.class_id) == (None, None)
    assert (spec.signatures.serve, spec.signatures.examples) == ("serving_default", "serve_examples")
    assert (spec.num_classes, spec.class_number("two"), spec.class_number(7)) == (3, 2, None)
    assert ModelSpec.load(str(file)) == spec


def test_what_may_be_left_out_has_a_default():
    spec = ModelSpec.from_record(
        {
            "image": {"feature": "jpeg", "format": "jpeg", "channels": 3, "input": "bytes"},
            "classes": ["no", "yes"],
            "outputs": {"scores": "p", "kind": "sigmoid"},
        }
    )
    assert (spec.image_shape, spec.sizes_vary, spec.image.format) == (None, True, "encoded")
    assert (spec.image.range, spec.image.channel_means) == (PixelRange(), None)
    assert (spec.label, spec.id) == (None, None)
    assert (spec.signatures.serve, spec.signatures.examples) == ("serving_default", None)


@pytest.mark.parametrize("word", ["encoded", "jpeg", "png"])
def test_the_words_for_image_files_mean_the_same(word):
    assert ModelSpec.from_record(record(image__format=word)) == ModelSpec.from_record(record())


ONE = r"what is monitored is one image classifier, which has one image input and one output of scores\. Received: "


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # keys
        ({"image": ...}, "`image` must be given. Received: label, id, classes, outputs, signatures"),
        ({"image__feature": ...}, "`image.feature` must be given. Received: format, channels, size, input, range"),
        ({"image__channels": ...}, "`image.channels` must be given"),
        ({"image__input": ...}, "`image` must have the key `input`"),
        ({"classes": ...}, "`classes` must be given"),
        ({"outputs__kind": ...}, "`outputs.kind` must be given. Received: scores, embedding"),
        ({"lable": "x"}, r"there is no key `lable` \(did you mean 'label'\?\). The keys are: classes, id, image"),
        ({"image__chanels": 1}, r"there is no key `image.chanels` \(did you mean 'channels'\?\)"),
        (
            {"outputs__score": "x"},
            r"`outputs.score` \(did you mean 'scores'\?\). The keys are: class_id, class_id_from, emb",
        ),
        ({"signatures__server": "x"}, r"`signatures.server` \(did you mean 'serve'\?\)"),
        ({"image": "image"}, "`image` must be a section"),
        ({"signatures": 3}, "`signatures` must be a section"),
        ({"signatures": None}, "`signatures` must be a section"),
        # one of each
        ({"image__feature": ["left", "right"]}, rf"`image.feature` must be one name: {ONE}\['left', 'right'\]"),
        ({"image__input": ["left", "right"]}, rf"`image.input` must be one name: {ONE}\['left', 'right'\]"),
        ({"image__input": {"a": "left"}}, rf"`image.input` must be one name: {ONE}"),
        ({"image": [{}, {}]}, rf"`image` must be one section: {ONE}"),
        ({"outputs__scores": ["a", "b"]}, rf"`outputs.scores` must be one name: {ONE}\['a', 'b'\]"),
        ({"outputs": [{"scores": "a"}]}, rf"`outputs` must be one section: {ONE}"),
        # names
        ({"image__feature": ""}, "`image.feature` must not be blank. Received: ''"),
        ({"image__feature": " image"}, "`image.feature` must not begin or end with a blank"),
        ({"label": 3}, "`label` must be text; put numbers and words such as yes, no and null in quotes. Received: 3"),
        ({"label": True}, "`label` must be text"),
        ({"id": "a\nb"}, "`id` must be one line of text"),
        ({"outputs__scores": None}, "`outputs.scores` must be text"),
        ({"outputs__embedding": ["a"]}, "`outputs.embedding` must be text"),
        ({"signatures__serve": "x" * 1_001}, "`signatures.serve` must be 1,000 characters or fewer"),
        ({"label": "image/encoded"}, "`label` must differ from `image.feature`, which has that name already"),
        ({"id": "image/encoded"}, "`id` must differ from `image.feature`"),
        ({"id": "image/class/label"}, "`id` must differ from `label`, which has that name already"),
        ({"outputs__embedding": "dense_1"}, "`outputs.embedding` must differ from `scores`"),
        ({"outputs__class_id": "dense_1"}, "`outputs.class_id` must differ from `scores`"),
        ({"outputs__embedding": "e", "outputs__class_id": "e"}, "`outputs.class_id` must differ from `embedding`"),
        # images
        ({"image__format": "jpg"}, r"`image.format` must be raw, encoded, jpeg or png .*\. Received: 'jpg'"),
        ({"image__format": ["raw"]}, "`image.format` must be raw, encoded"),
        ({"image__format": None}, "`image.format` must be raw, encoded"),
        ({"image__channels": 4}, r"`image.channels` must be 1 \(grey\) or 3 .*\. Received: 4"),
        ({"image__channels": True}, "`image.channels` must be 1"),
        ({"image__channels": 1.0}, "`image.channels` must be 1"),
        ({"image__size": [28]}, r"`image.size` must be \[height, width\]"),
        ({"image__size": [28, 28, 1]}, r"`image.size` must be \[height, width\]"),
        ({"image__size": 28}, r"`image.size` must be \[height, width\]"),
        ({"image__size": [0, 28]}, "`image.size` must be .* from 1 to 65535"),
        ({"image__size": [28, 10**9]}, "`image.size` must be .* from 1 to 65535"),
        ({"image__size": [True, 28]}, "`image.size` must be .* whole numbers"),
        ({"image__size": [28.0, 28]}, "`image.size` must be .* whole numbers"),
        ({"image__size": ..., "image__format": "raw"}, "`image.size` must be given where `format` is raw"),
        ({"image__size": None, "image__format": "raw"}, "`image.size` must be given where `format` is raw"),
        ({"image__range": [1, 0]}, r"`image.range` must be \[low, high\] with low < high.* Received: \[1, 0\]"),
        ({"image__range": [0, float("nan")]}, "`image.range` must be .* finite numbers"),
        ({"image__range": [float("-inf"), 0]}, "`image.range` must be .* finite numbers"),
        ({"image__range": [0, True]}, "`image.range` must be .* finite numbers"),
        ({"image__range": None}, "`image.range` must be"),
        ({"image__range": {"mean": 0.5, "std": 0.5}}, r"which would be \{mean: \[127.5\], std: \[127.5\]\}"),
        ({"image__range": {"mean": [1, 2, 3], "std": 9}}, "`image.range` must have one mean and std where `channels`"),
        ({"image__dtype": "uint7"}, "`image.dtype` must be 'uint8'.* or 'string'. Received: 'uint7'"),
        ({"image__dtype": ["uint8"]}, "`image.dtype` must be 'uint8'"),
        ({"image__dtype": "uint8"}, "`image.range` must be .* with 256 whole numbers where `dtype` is uint8"),
        ({"image__dtype": "uint8", "image__range": [-1, 1]}, "`image.range` must be within 0..255 where `dtype` is"),
        ({"image__dtype": "int8", "image__range": [0, 255]}, "`image.range` must be within -128..127"),
        ({"image__dtype": "float16", "image__range": [0, 65535]}, "`image.range` must be within -65504..65504"),
        ({"image__dtype": "int32", "image__range": {"mean": 9, "std": 9}}, "`image.range` must be .*256 whole numbers"),
        ({"image__dtype": "string"}, "`image.range` must be left out where `dtype` is string"),
        ({"image__channel_means": [1, 2, 3]}, "`image.channel_means` must be left out for grey images"),
        ({"image__channels": 3, "image__channel_means": [1, 2]}, "`image.channel_means` must be the means of red,"),
        ({"image__channels": 3, "image__channel_means": [1, 2, 256]}, "`image.channel_means` must be .* 0 to 255"),
        ({"image__channels": 3, "image__channel_means": [1, 2, float("nan")]}, "`image.channel_means` must be"),
        ({"image__channels": 3, "image__channel_means": [1, 2, True]}, "`image.channel_means` must be"),
        # classes and scores
        ({"classes": ["a"]}, "`classes` must be from 2 to 100,000 class names, not 1"),
        ({"classes": ["a", "a"]}, "`classes` must hold different names, but class 1 has the name of class 0: 'a'"),
        ({"classes": [False, True]}, r"`classes` must hold names, but class 0 \(False\) must be text; put numbers"),
        ({"classes": [0, 1]}, r"`classes` must hold names, but class 0 \(0\) must be text"),
        ({"classes": ["a", " "]}, r"class 1 \(' '\) must not be blank"),
        ({"classes": "names.txt"}, "`classes` must be a list"),
        ({"classes": {"a": 0, "b": 1}}, "`classes` must be a list"),
        (
            {"outputs__kind": "softmax"},
            "`outputs.kind` must be 'probabilities', 'logits' or 'sigmoid'. Received: 'soft",
        ),
        ({"outputs__kind": None}, "`outputs.kind` must be 'probabilities'"),
        ({"outputs__kind": "sigmoid"}, "`outputs` must not be of `kind: sigmoid` for 3 classes: .* exactly two"),
    ],
)
def test_an_error_names_file_key_rule_and_value(changes, expected):
    with pytest.raises(MonitorError, match=rf"(?m)^monitor\.yaml: .*{expected}"):
        ModelSpec.from_record(record(**changes), "monitor.yaml")


def test_every_error_of_a_file_has_its_line(tmp_path):
    file = tmp_path / "monitor.yaml"
    file.write_text("image: {feature: 1, format: raw}\nclasses: [a]\n")
    with pytest.raises(MonitorError) as caught:
        ModelSpec.load(file)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{file}: `") for line in lines)
    keys = [line.split("`")[1] for line in lines]
    assert keys == ["image.feature", "image.channels", "image.size", "classes", "outputs"]


@pytest.mark.parametrize(
    "content", ["", "# nothing\n", "- image\n", "image: {feature: a, feature: b}\n", "a: &x [*x]\n"]
)
def test_a_file_without_a_spec_is_named(tmp_path, content):
    file = tmp_path / "monitor.yaml"
    file.write_text(content)
    with pytest.raises(MonitorError, match=r"monitor\.yaml"):
        ModelSpec.load(file)


def test_classes_may_stand_in_a_file_beside_the_spec(tmp_path, monkeypatch):
    (tmp_path / "names").mkdir()
    (tmp_path / "names" / "classes.txt").write_bytes("猫\r\nגמל\r\nपक्षी\r\n".encode())
    file = tmp_path / "monitor.yaml"
    file.write_text(LEAST.replace('["zero", "one", "two"]', "names/classes.txt"))
    monkeypatch.chdir("/")
    spec = ModelSpec.load(file)
    assert spec.classes == ("猫", "גמל", "पक्षी")
    assert "猫" in spec.to_yaml()
    assert json.loads(spec.to_json())["classes"] == ["猫", "גמל", "पक्षी"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, r"monitor.yaml: `classes` must be a list of names, or name a readable text file.*classes\.txt"),
        (b"a\n\nb\n", r"monitor.yaml: `classes` must hold names, but class 1 \(''\) must not be blank"),
        (b"", "`classes` must be from 2 to 100,000 class names, not 0"),
        (b"a\xff\nb\n", "text file in UTF-8"),
    ],
)
def test_a_bad_file_of_classes_is_named(tmp_path, content, expected):
    if content is not None:
        (tmp_path / "classes.txt").write_bytes(content)
    file = tmp_path / "monitor.yaml"
    file.write_text(LEAST.replace('["zero", "one", "two"]', "classes.txt"))
    with pytest.raises(MonitorError, match=expected):
        ModelSpec.load(file)


def test_a_thousand_classes_do_not_bury_the_message():
    names = [f"class {number}" for number in range(1_000)]
    assert ModelSpec.from_record(record(classes=names)).num_classes == 1_000
    with pytest.raises(MonitorError) as caught:
        ModelSpec.from_record(record(classes=[*names, "class 7"]))
    assert "class 1000 has the name of class 7" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_spec_does_not_change_and_equal_ones_are_one_key():
    spec = ModelSpec.from_record(record())
    with pytest.raises(ValueError, match="frozen"):
        spec.label = "x"
    assert len({spec, ModelSpec.from_record(record())}) == 1


names = st.text(min_size=1, max_size=12).filter(lambda name: not class_names.broken_rule_of_name(name))
numbers = st.floats(-1e6, 1e6) | st.integers(-1000, 1000)
deviations = st.tuples(st.floats(0, 255), st.floats(1, 300)).map(lambda pair: {"mean": pair[0], "std": pair[1]})
ranges = (st.lists(numbers, min_size=2, max_size=2) | deviations).filter(
    lambda setting: not pixel_range.broken_rule(setting)
)
sizes = st.lists(st.integers(1, 65_535), min_size=2, max_size=2)


@st.composite
def records(draw):
    feature, label, identity = draw(st.lists(names, min_size=3, max_size=3, unique=True))
    scores, embedding, class_id = draw(st.lists(names, min_size=3, max_size=3, unique=True))
    kind = draw(st.sampled_from(["probabilities", "logits", "sigmoid"]))
    most = 2 if kind == "sigmoid" else 6
    channels = draw(st.sampled_from([1, 3]))
    image = {"feature": feature, "channels": channels, "input": draw(names), "range": draw(ranges)}
    image["format"] = draw(st.sampled_from(["raw", "encoded"]))
    image["size"] = draw(sizes if image["format"] == "raw" else st.none() | sizes)
    image["channel_means"] = draw(st.none() | st.just([1.5, 2.0, 3.25])) if channels == 3 else None
    classes = draw(
        st.lists(names, min_size=2, max_size=most, unique=True).filter(lambda c: not class_names.broken_rule(c))
    )
    return {
        "image": image,
        "label": draw(st.sampled_from([None, label])),
        "id": draw(st.sampled_from([None, identity])),
        "classes": classes,
        "outputs": {
            "scores": scores,
            "kind": kind,
            "embedding": draw(st.sampled_from([None, embedding])),
            "class_id": draw(st.sampled_from([None, class_id])),
        },
        "signatures": {"serve": draw(names), "examples": draw(st.none() | names)},
    }


@given(records())
def test_json_and_yaml_come_back_as_the_same_spec(tmp_path_factory, content):
    spec = ModelSpec.from_record(content)
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert ModelSpec.from_record(json.loads(json.dumps(spec.to_record()))) == spec
    file = tmp_path_factory.getbasetemp() / "monitor.yaml"
    file.write_text(spec.to_yaml(), encoding="utf-8")
    assert ModelSpec.load(file) == spec
    assert ImageSpec.from_json(spec.image.to_json()) == spec.image


@given(records())
def test_canonical_rows_have_a_spec_of_their_own_which_is_their_own_canonical_one(content):
    spec = ModelSpec.from_record(content)
    rows = spec.rows
    assert (rows.image.feature, rows.id, rows.label) == (IMAGE, ID, spec.label and LABEL)
    assert (rows.image.format, rows.image_shape, rows.image.channels) == (
        spec.image.format,
        spec.image_shape,
        spec.image.channels,
    )
    assert rows.image.range == PixelRange()
    assert (rows.classes, rows.outputs.scores, rows.outputs.kind) == (spec.classes, "probabilities", "probabilities")
    assert rows.outputs.embedding == (spec.outputs.embedding and "embedding")
    assert rows.rows == rows


def test_images_may_be_described_without_a_model():
    image = ImageSpec.from_record({"feature": "image/encoded", "format": "png", "channels": 3})
    assert (image.shape, image.sizes_vary, image.input) == (None, True, None)
    with pytest.raises(MonitorError, match=r"^the images: `format` must be raw"):
        ImageSpec.from_record({"feature": "a", "format": "gif", "channels": 1}, "the images")


def test_the_worked_example_is_what_the_classifier_takes_and_gives():
    spec = ModelSpec.load(ROOT / "schemas" / "cifar10" / "model_spec.yaml")
    assert (spec.image_shape, spec.image.format, spec.image.dtype) == ((32, 32, 3), "raw", "uint8")
    assert (spec.num_classes, spec.classes[3]) == (10, "cat")
    assert spec.rows.outputs == spec.outputs


def test_the_file_for_people_is_short():
    assert ModelSpec.from_record(record()).to_yaml() == (
        "image:\n"
        "  feature: image/encoded\n"
        "  format: encoded\n"
        "  channels: 1\n"
        "  size: [28, 28]\n"
        "  input: input_image\n"
        "  range: [0, 1]\n"
        "label: image/class/label\n"
        "id: image/id\n"
        "classes: [zero, one, two]\n"
        "outputs: {scores: dense_1, kind: probabilities}\n"
        "signatures: {serve: serving_default, examples: serve_examples}\n"
    )
