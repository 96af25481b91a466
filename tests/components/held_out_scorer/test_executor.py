"""Real Keras 3 models, asked by the real executor about real images, and what it says where that cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.common.errors import MonitorError
from components.held_out_scorer.executor import COUNTS_FILE, Executor
from tests.support.foreign_data import encode
from tests.support.model_specs import digits_spec

from .conftest import digit_examples, rows_of

EXPORTED = digits_spec(outputs={"scores": "output_0"})
BY_EXAMPLES = {"signatures": {"examples": "serve_examples"}}
PHOTOS = {
    "image": {"feature": "jpeg", "format": "jpeg", "channels": 3, "size": None, "input": "image_bytes", "range": None},
    "label": "is_flower",
    "id": "name",
    "classes": ["temple", "flower"],
    "outputs": {"scores": "flower", "kind": "sigmoid"},
}


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def expected(digit_network, digits):
    """What the network itself says of the digits: probabilities `[N, 10]`."""
    return softmax(np.asarray(digit_network(np.stack(digits.images).astype(np.float32) / 255)))


def check_rows(rows, digits, expected):
    assert set(rows) == {name.encode() for name in digits.ids}
    for number, name in enumerate(digits.ids):
        row = rows[name.encode()]
        np.testing.assert_allclose(row["probabilities"], expected[number], atol=2e-6)
        assert row["class_id"] == [int(np.argmax(expected[number]))]
        assert row["label"] == [digits.labels[number]]
        assert row["image"] == [encode(digits.images[number])]


def test_a_model_exported_by_keras_3_is_asked_with_floats(score, digits, exported, expected):
    output = score(digit_examples(digits), exported, EXPORTED, span=7)
    rows = rows_of(output)
    check_rows(rows, digits, expected)
    assert set(rows[digits.ids[0].encode()]) == {
        "class_id", "confidence", "entropy", "id", "image", "label", "margin", "probabilities",
    }  # fmt: skip
    assert artifact_utils.decode_split_names(output.split_names) == ["eval"]
    assert output.span == 7
    assert output.get_string_custom_property("payload_format") == "FORMAT_TF_EXAMPLE"
    assert output.get_int_custom_property("examples") == output.get_int_custom_property("scored") == len(digits)


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("signatures", [{}, BY_EXAMPLES])
def test_floats_and_examples_logits_and_probabilities_are_all_the_same(
    score, digits, trainer_s, expected, logits, signatures
):
    spec = digits_spec(**signatures, outputs={"kind": "logits" if logits else "probabilities"})
    check_rows(rows_of(score(digit_examples(digits), trainer_s(logits=logits), spec)), digits, expected)


def test_raw_pixels_are_asked_about_as_image_files_are(score, digits, exported, expected):
    raw = digit_examples(digits, image__encoded=lambda row: digits.images[row].tobytes())
    spec = digits_spec(image={"format": "raw"}, outputs={"scores": "output_0"})
    rows = rows_of(score(raw, exported, spec))
    np.testing.assert_allclose(rows[digits.ids[5].encode()]["probabilities"], expected[5], atol=2e-6)
    assert rows[digits.ids[5].encode()]["image"] == [digits.images[5].tobytes()]


@pytest.mark.parametrize("signatures", [{}, BY_EXAMPLES])
def test_jpeg_files_of_any_size_and_one_sigmoid(score, crops, photo_model, signatures):
    examples = [
        {"jpeg": encode(image, "JPEG"), "is_flower": label, "name": name.encode()}
        for image, label, name in zip(crops.images, crops.labels, crops.ids, strict=True)
    ]
    rows = rows_of(score(examples, photo_model, digits_spec(**PHOTOS, **signatures)))
    assert len(rows) == len(crops)
    values = np.array([row["probabilities"] for row in rows.values()])
    assert values.shape == (len(crops), 2)
    assert np.ptp(values[:, 1]) > 0.001
    np.testing.assert_allclose(values.sum(axis=1), 1, rtol=1e-6)
    for example in examples:
        assert rows[example["name"]]["image"] == [example["jpeg"]]
        assert rows[example["name"]]["label"] == [example["is_flower"]]


NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.mark.parametrize(
    "label",
    [
        lambda digits, row: NAMES[digits.labels[row]].encode(),
        lambda digits, row: str(digits.labels[row]).encode(),
        lambda digits, row: float(digits.labels[row]),
    ],
    ids=["name", "digits", "float"],
)
def test_labels_are_names_or_numbers(score, digits, exported, label):
    spec = digits_spec(classes=NAMES, outputs={"scores": "output_0"})
    rows = rows_of(score(digit_examples(digits, image__class__label=lambda row: label(digits, row)), exported, spec))
    assert [rows[name.encode()]["label"] for name in digits.ids] == [[label] for label in digits.labels]


def test_examples_without_labels_and_ids_get_an_id_by_file_and_number(score, digits, exported):
    examples = digit_examples(digits, image__class__label=lambda _: None, image__id=lambda _: None)
    rows = rows_of(score(examples, exported, EXPORTED))
    half = len(digits) // 2
    files = [f"data_tfrecord-0000{part}-of-00002.gz" for part in (0, 1)]
    assert set(rows) == {f"{file}:{number}".encode() for file in files for number in range(half)}
    assert rows[f"{files[1]}:3".encode()]["image"] == [encode(digits.images[half + 3])]
    assert not any("label" in row for row in rows.values())


def test_several_splits_are_scored_and_others_are_left_alone(score, digits, exported):
    examples = digit_examples(digits)
    parts = {"train": examples[:10], "eval": examples[10:110], "test": examples[110:]}
    output = score(parts, exported, EXPORTED, splits=("eval", "test"))
    assert artifact_utils.decode_split_names(output.split_names) == ["eval", "test"]
    assert [len(rows_of(output, split)) for split in ("eval", "test")] == [100, 190]
    assert not Path(output.uri, "Split-train").exists()
    assert output.get_int_custom_property("examples") == 290


@pytest.mark.parametrize("signatures", [{}, BY_EXAMPLES])
def test_logged_rows_are_scored_anew_and_keep_what_they_say_of_their_request(
    score, digits, trainer_s, expected, signatures
):
    logged = [
        {"image": encode(image), "id": name.encode(), "request_id": b"r", "timestamp": 5, "model_version": 3,
         "probabilities": [1.0] + [0.0] * 9, "class_id": 0, "confidence": 1.0, "embedding": [0.5, 0.5]}
        for image, name in zip(digits.images, digits.ids, strict=True)
    ]  # fmt: skip
    output = score(logged, trainer_s(), digits_spec(**signatures), splits=("serving",), logged=True)
    rows = rows_of(output, "serving")
    for number, name in enumerate(digits.ids):
        row = rows[name.encode()]
        np.testing.assert_allclose(row["probabilities"], expected[number], atol=2e-6)
        assert (row["request_id"], row["timestamp"], row["model_version"]) == ([b"r"], [5], [3])
        assert "embedding" not in row


def test_a_few_images_that_cannot_be_read_are_rows_without_an_answer(score, digits, exported):
    broken = {5: b"no image", 17: None, 100: encode(digits.images[0][:20])}
    examples = digit_examples(digits, image__encoded=lambda row: broken.get(row, encode(digits.images[row])))
    output = score(examples, exported, EXPORTED)
    rows = rows_of(output)
    assert len(rows) == len(digits)
    for row in broken:
        assert "probabilities" not in rows[digits.ids[row].encode()]
    assert output.get_int_custom_property("scored") == len(digits) - 3
    counts = json.loads(Path(output.uri, COUNTS_FILE.format("eval")).read_text())
    assert counts["images"].startswith("2 unreadable, such as it is no whole PNG or JPEG file")


def every(number: int, good, bad):
    return lambda row: bad if row % number == 0 else good(row)


@pytest.mark.parametrize(
    ("changes", "spec", "expected"),
    [
        (
            {"image__encoded": lambda digits: every(50, lambda row: encode(digits.images[row]), b"no image")},
            {},
            r"images of split 'eval' must be such .* all but 1 %. Received: 6 of 300 cannot \(6 unreadable",
        ),
        (
            {"image__encoded": lambda digits: lambda row: encode(digits.images[row][:20])},
            {},
            r"300 of 300 cannot \(300 unreadable, such as the image is 20 x 28, not 28 x 28\)",
        ),
        (
            {},
            {"image": {"feature": "image"}},
            r"`image.feature` must name a feature of the examples: image/class/label, image/encoded, image/id."
            r" Received: 'image'",
        ),
        (
            {"image__encoded": lambda digits: lambda row: [0.5, 0.25]},
            {},
            r"feature 'image/encoded' must hold one image as bytes.* Received: 2 values of type float",
        ),
        (
            {"image__class__label": lambda digits: lambda row: digits.labels[row] + 1},
            {},
            r"labels of split 'eval' .* that mean no class, such as 10\); a label must be a class, such as '0', or its",
        ),
        (
            {"image__class__label": lambda digits: lambda row: b"cat "},
            {},
            r"300 of 300 cannot \(300 that mean no class, such as 'cat '\); a label must be a class",
        ),
    ],
)
def test_examples_that_cannot_be_used_are_an_error_that_says_why(score, digits, exported, changes, spec, expected):
    examples = digit_examples(digits, **{key: change(digits) for key, change in changes.items()})
    with pytest.raises(MonitorError, match=expected):
        score(examples, exported, digits_spec(**{"outputs": {"scores": "output_0"}, **spec}))


@pytest.mark.parametrize(
    ("logits", "spec", "expected"),
    [
        (True, {}, r"output 'dense_1' must give scores of `kind: probabilities`. .* these look like logits \(300 of"),
        (False, {"outputs": {"kind": "logits"}}, r"these are probabilities already .*; say `kind: probabilities`"),
        (False, {"outputs": {"scores": "probs"}}, r"`outputs.scores` must be an output of .*: dense_1 .* 'probs'"),
        (False, {"outputs": {"embedding": "features"}}, r"`outputs.embedding` must be an output of .* 'features'"),
        (False, {"image": {"input": "image"}}, r"`image.input` must be an input of .*: input_image .* 'image'"),
        (False, {"classes": ["a", "b", "c"]}, r"the spec has 3 classes, and output 'dense_1' is float32 \[\?, 10\]"),
        (False, {"signatures": {"serve": "serve"}}, r"the model has no signature 'serve', only \['serve_examples"),
    ],
)  # fmt: skip
def test_a_model_that_does_not_fit_its_spec_is_an_error_that_says_what_was_wanted(
    score, digits, trainer_s, logits, spec, expected
):
    with pytest.raises(MonitorError, match=expected):
        score(digit_examples(digits), trainer_s(logits=logits), digits_spec(**spec))


def test_a_split_that_is_not_there_or_empty_is_an_error(score, digits, exported, tmp_path):
    examples = digit_examples(digits)
    with pytest.raises(MonitorError, match=r"`splits` must name splits of the examples, train. Received: 'eval'"):
        score({"train": examples}, exported, EXPORTED)


def test_an_empty_split_is_an_error(score, exported):
    with pytest.raises(MonitorError, match=r"split 'eval' must hold examples. Received: none"):
        score([], exported, EXPORTED)


def test_examples_of_another_payload_are_refused(score, write_examples, digits, exported, monkeypatch):
    from components.held_out_scorer import executor

    monkeypatch.setattr(
        executor.examples_utils, "get_payload_format", lambda _: example_gen_pb2.PayloadFormat.FORMAT_PARQUET
    )
    with pytest.raises(MonitorError, match=r"must hold tf.Examples .* Received: FORMAT_PARQUET"):
        score(digit_examples(digits), exported, EXPORTED)


def test_a_damaged_file_is_an_error_that_names_it(write_examples, digits, exported, tmp_path):
    model, output = standard_artifacts.Model(), standard_artifacts.Examples()
    model.uri, output.uri = str(exported), str(tmp_path / "scored")
    examples = write_examples({"eval": digit_examples(digits)})
    file = Path(examples.uri, "Split-eval", "data_tfrecord-00000-of-00002.gz")
    file.write_bytes(file.read_bytes()[:-100])
    properties = {"spec": EXPORTED.to_json(), "splits": '["eval"]', "logged": 0}
    with pytest.raises(MonitorError, match=r"split 'eval' could not be scored: .*data_tfrecord-00000-of-00002.gz must"):
        Executor().Do({"held_out_examples": [examples], "model": [model]}, {"examples": [output]}, properties)
