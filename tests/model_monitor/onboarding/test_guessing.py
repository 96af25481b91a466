"""What is guessed of a model, what is asked, and what is refused."""

import numpy as np
import pytest

from components.common.errors import MonitorError
from model_monitor.onboarding.described import Signature
from model_monitor.onboarding.guessing import guess
from tests.support.plain_models import (
    Model,
    examples,
    held_out,
    levels,
    numeric,
    pixels,
    png,
    png_mean,
    softmax,
    strings,
    tensor,
)


@pytest.fixture
def plain():
    """A model of floats 0..1 that answers with probabilities of three classes."""
    return Model((numeric(), lambda x: {"dense": softmax(levels(x))}))


def probabilities(x, **options):
    return softmax(levels(x, **options))


def asked(draft):
    return {question.key: tuple(question.candidates) for question in draft.questions}


def test_a_model_of_floats_is_guessed_whole(plain):
    draft = guess(plain, held_out(), {})
    assert not draft.questions
    spec = draft.spec()
    assert spec.image.to_record() == {
        "feature": "image/encoded", "format": "encoded", "channels": 1, "size": [6, 6], "input": "x", "range": [0, 1],
    }  # fmt: skip
    assert (spec.label, spec.id, spec.classes) == ("image/label", "image/id", ("0", "1", "2"))
    assert (spec.outputs.scores, spec.outputs.kind, spec.signatures.serve) == (
        "dense",
        "probabilities",
        "serving_default",
    )
    assert draft.checks[0] == "60 of 60 answers are probabilities of 3 classes"
    assert draft.checks[1].startswith("60 of 60 labelled are right: 100.0%")


def test_every_key_says_why(plain):
    assert all(guessed.why for guessed in guess(plain, held_out(), {}).guesses)


@pytest.mark.parametrize(("low", "high", "expected"), [(0, 1, [0, 1]), (-1, 1, [-1, 1]), (0, 255, [0, 255])])
def test_the_range_is_the_one_under_which_the_model_is_right(low, high, expected):
    model = Model((numeric(), lambda x: {"dense": probabilities(x, low=low, high=high)}))
    assert guess(model, held_out(), {}).value("image.range") == expected


def test_a_range_is_asked_for_when_the_model_does_as_well_on_several():
    model = Model((numeric(), lambda x: {"dense": probabilities(x / x.max())}))
    draft = guess(model, held_out(), {})
    assert asked(draft) == {"image.range": ("[0, 1]", "[-1, 1]", "[0, 255]")}
    assert "60 of 60 right" in draft.questions[0].candidates["[0, 255]"]


def test_a_range_is_asked_for_without_labels(plain):
    draft = guess(plain, held_out(image__label=None), {})
    assert draft.value("label") is None
    assert list(asked(draft)) == ["image.range"]


def test_what_the_person_said_goes_before_all_evidence(plain):
    draft = guess(plain, held_out(image__label=None), {"image": {"range": [0, 1]}, "classes": ["dark", "mid", "light"]})
    assert not draft.questions
    assert draft.spec().classes == ("dark", "mid", "light")
    assert {guessed.key: guessed.why for guessed in draft.guesses}["image.range"] == "you said so"


def test_a_wrong_range_that_the_person_said_is_noted_and_not_overruled():
    model = Model((numeric(), lambda x: {"dense": probabilities(x)}))
    given = {"image": {"range": [0, 255]}, "label": "image/label"}
    draft = guess(model, held_out(), given)
    assert not draft.questions
    assert any("`image.range` wrong?" in check for check in draft.checks)


def test_a_model_no_better_than_the_commonest_class_is_asked_about(plain):
    _, labels = pixels(60)
    draft = guess(plain, held_out(image__label=((labels + 1) % 3).tolist()), {"image": {"range": [0, 1]}})
    assert asked(draft) == {"label": ("image/label", "null")}


def test_bytes_are_pixels_as_they_are():
    model = Model((numeric("uint8"), lambda x: {"dense": probabilities(x, high=255)}))
    draft = guess(model, held_out(), {})
    assert draft.value("image.range") == [0, 255]
    assert not draft.questions


def test_raw_pixels_are_told_by_their_length():
    model = Model((numeric("uint8"), lambda x: {"dense": probabilities(x, high=255)}))
    draft = guess(model, held_out(raw=True), {})
    assert (draft.value("image.format"), draft.value("image.size"), draft.value("image.channels")) == ("raw", [6, 6], 1)


def test_a_model_of_image_files_is_called_with_files():
    def answer(files):
        return {"dense": probabilities([png_mean(file) for file in files])}

    draft = guess(Model((strings(), answer)), held_out(), {})
    assert draft.spec().image.dtype == "string"
    assert draft.value("image.channels") == 1  # told by the files


def test_image_files_of_many_sizes_have_no_size():
    images, labels = pixels(40)
    files = [png(image[: 4 + number % 3]) for number, image in enumerate(images)]
    model = Model((strings(), lambda x: {"dense": probabilities([png_mean(file) for file in x])}))
    draft = guess(model, examples(jpeg=files, label=labels.tolist()), {})
    assert draft.spec().image.size is None
    assert draft.spec().id is None


def test_a_signature_that_takes_serialised_examples_is_told_by_what_it_answers():
    data = held_out()
    by_record = dict(zip(data.records, data.rows, strict=True))

    def of_records(records):
        if any(record not in by_record for record in records):
            raise MonitorError("could not parse")
        return {"dense": probabilities([png_mean(by_record[each]["image/encoded"][0]) for each in records])}

    model = Model(
        (numeric(), lambda x: {"dense": probabilities(x)}), (strings("serve_examples", "examples"), of_records)
    )
    draft = guess(model, data, {})
    assert (draft.value("signatures.serve"), draft.value("signatures.examples")) == (
        "serving_default",
        "serve_examples",
    )


def test_two_features_of_images_are_asked_about(plain):
    images, _ = pixels(60)
    draft = guess(plain, held_out(thumbnail=[png(image) for image in images]), {})
    assert asked(draft) == {"image.feature": ("image/encoded", "thumbnail")}


def test_two_signatures_of_images_are_asked_about_where_neither_is_the_default():
    def answer(x):
        return {"dense": probabilities(x)}

    model = Model((numeric(name="fast"), answer), (numeric(name="exact"), answer))
    assert asked(guess(model, held_out(), {})) == {"signatures.serve": ("fast", "exact")}
    assert guess(model, held_out(), {"signatures": {"serve": "exact"}}).value("image.input") == "x"


def test_two_outputs_of_probabilities_are_asked_about():
    model = Model((numeric(), lambda x: {"a": probabilities(x), "b": probabilities(x)}))
    draft = guess(model, held_out(), {})
    assert "outputs.scores" in asked(draft)
    assert asked(draft)["outputs.scores"] == ("a", "b")
    given = {"outputs": {"scores": "b"}}
    assert guess(model, held_out(), given).spec().outputs.scores == "b"


def test_probabilities_are_told_from_their_logits_an_embedding_and_a_class_id():
    def answer(x):
        scores = levels(x)
        means = np.asarray(x).reshape(len(x), -1).mean(axis=1)
        return {
            "logits": scores,
            "probabilities": softmax(scores),
            "class_id": scores.argmax(axis=1),
            "confidence": softmax(scores).max(axis=1),
            "embedding": np.stack([np.sin(9 * means + k) for k in range(5)], axis=1).astype(np.float32),
        }

    outputs = guess(Model((numeric(), answer)), held_out(), {}).spec().outputs
    assert outputs.to_record() == {
        "scores": "probabilities",
        "kind": "probabilities",
        "embedding": "embedding",
        "class_id": "class_id",
    }


def test_logits_are_told_by_how_far_they_reach():
    draft = guess(Model((numeric(), lambda x: {"dense": levels(x)})), held_out(), {})
    assert draft.spec().outputs.kind == "logits"


def test_logits_beside_an_embedding_are_told_by_the_number_of_labels():
    def answer(x):
        return {"features": np.repeat(levels(x), 4, axis=1) + 1, "scores": levels(x)}

    assert guess(Model((numeric(), answer)), held_out(), {}).spec().outputs.scores == "scores"


@pytest.mark.parametrize(("scale", "kind"), [(1.0, "sigmoid"), (None, "logits")])
def test_one_score_is_a_sigmoid_or_its_logit(scale, kind):
    def answer(x):
        two = levels(x, classes=2)
        logit = two[:, 1:] - two[:, :1]
        return {"p": logit if scale is None else (1 / (1 + np.exp(-logit))).astype(np.float32)}

    draft = guess(Model((numeric(), answer)), held_out(classes=2), {})
    assert draft.spec().outputs.kind == kind
    assert draft.spec().num_classes == 2


def test_two_labels_are_asked_about(plain):
    _, labels = pixels(60)
    draft = guess(plain, held_out(class_again=labels.tolist()), {"image": {"range": [0, 1]}})
    assert asked(draft) == {"label": ("class_again", "image/label")}


def test_a_text_beside_the_label_names_the_classes(plain):
    _, labels = pixels(60)
    names = [("dark", "mid", "light")[label].encode() for label in labels]
    assert guess(plain, held_out(image__text=names), {}).spec().classes == ("dark", "mid", "light")


def test_labels_in_words_are_numbered_by_the_alphabet_and_that_is_said(plain):
    _, labels = pixels(60)
    draft = guess(plain, held_out(image__label=[("a", "b", "c")[label].encode() for label in labels]), {})
    assert draft.spec().classes == ("a", "b", "c")
    assert "alphabet" in {guessed.key: guessed.why for guessed in draft.guesses}["classes"]


def test_labels_in_words_that_do_not_name_every_class_are_asked_about(plain):
    _, labels = pixels(60)
    draft = guess(plain, held_out(image__label=[("a", "b", "b")[label].encode() for label in labels]), {})
    assert "classes" in asked(draft)


@pytest.mark.parametrize("shape", [(None, 36), (None, 6, 6), (None, None, None, None)])
def test_grey_images_may_come_without_channels_or_in_one_row(shape):
    shapes = set()

    def answer(x):
        shapes.add(x.shape[1:])
        return {"dense": probabilities(x)}

    spec = guess(Model((numeric(shape=shape), answer)), held_out(), {}).spec()
    assert (spec.image.size, spec.image.channels) == ((6, 6), 1)
    assert shapes == {shape[1:] if None not in shape[1:] else (6, 6, 1)}


def test_damaged_images_are_left_out(plain):
    data = held_out()
    data.rows[0]["image/encoded"][0] = data.rows[0]["image/encoded"][0][:40]
    assert guess(plain, data, {}).checks[0].startswith("59 of 59")


def test_a_fixed_batch_is_filled_up():
    sizes = []

    def answer(x):
        sizes.append(len(x))
        return {"dense": probabilities(x)}

    model = Model((numeric(shape=(8, 6, 6, 1)), answer))
    assert guess(model, held_out(), {}).checks[0].startswith("60 of 60")
    assert set(sizes) == {8}


ONE_IMAGE = (None, 6, 6, 1)
TWO_IMAGES = Signature("serving_default", tuple(tensor(name, "float32", ONE_IMAGE) for name in ("left", "right")), ())
IMAGE_AND_AGE = Signature("serving_default", (tensor("age", "float32", (None,)), tensor("x", "uint8", ONE_IMAGE)), ())


@pytest.mark.parametrize(
    ("signature", "answer", "expected"),
    [
        (TWO_IMAGES, None, "serving_default takes several images"),
        (IMAGE_AND_AGE, None, "serving_default takes more than an image"),
        (numeric(shape=(None, 36, 1, 1, 1)), None, "takes x (float32 [?, 36, 1, 1, 1]), not [batch, height, width,"),
        (numeric(shape=(None, 3, 6, 6)), None, "takes x (float32 [?, 3, 6, 6])"),
        (numeric(), lambda x: {"boxes": np.zeros((len(x), 5, 4), np.float32)}, "no classification, which is [batch"),
        (numeric(), lambda x: {"text": np.array([b"a"] * len(x))}, "no classification"),
        (numeric(), lambda x: {"tags": np.full((len(x), 3), 0.9, np.float32)}, "independent scores of several labels"),
        (numeric(), lambda x: {"tags": np.full((len(x), 3), 0.9, np.float32)}, "say --set outputs.kind=logits"),
        (numeric(), lambda x: {"dense": np.full((len(x), 3), np.nan, np.float32)}, "are not finite"),
        (numeric(shape=(None, 37)), None, "takes 37 numbers an image, and those of `image/encoded` are of 6 x 6"),
        (numeric(shape=(None, 8, 8, 1)), None, "takes 8 x 8: the Examples must hold the images as the model gets them"),
    ],
)
def test_what_is_no_classifier_of_one_image_is_refused_in_a_sentence(signature, answer, expected):
    with pytest.raises(MonitorError) as caught:
        guess(Model((signature, answer)), held_out(), {})
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (examples(image=[b"abc"] * 30, label=[0, 1, 2] * 10), "PNG or JPEG files, or 6 x 6 x 1 raw bytes"),
    ],
)
def test_examples_that_cannot_be_used_are_refused(plain, data, expected):
    with pytest.raises(MonitorError, match=expected):
        guess(plain, data, {})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"image": {"sice": [6, 6]}}, "did you mean 'size'?"),
        ({"labels": "x"}, "did you mean 'label'?"),
        ({"image": {"feature": "image/decoded"}}, "did you mean 'image/encoded'?"),
        ({"outputs": {"scores": "dence"}}, "did you mean 'dense'?"),
        ({"signatures": {"serve": "serve"}}, "serving_default"),
    ],
)
def test_a_name_that_is_not_there_suggests_the_nearest(plain, given, expected):
    with pytest.raises(MonitorError) as caught:
        guess(plain, held_out(), given)
    assert expected in str(caught.value)


@pytest.mark.parametrize("written", [int, float, lambda number: str(number).encode()])
def test_labels_from_1_are_seen_and_said(plain, written):
    _, labels = pixels(60)
    draft = guess(plain, held_out(image__label=[written(int(label) + 1) for label in labels]), {})
    assert not draft.questions
    why = {guessed.key: guessed.why for guessed in draft.guesses}["labels_from"]
    assert why == "image/label runs from 1 to 3 for 3 classes"
    assert (draft.spec().labels_from, draft.spec().classes) == (1, ("1", "2", "3"))
    assert draft.checks[1].startswith("60 of 60 labelled are right: 100.0%")


def test_a_background_class_is_told_by_the_answers():
    """A model with a score more than there are labels, the first of them of a background."""

    def answer(x):
        known = probabilities(x)
        return {"dense": np.hstack([np.full((len(known), 1), 0.01, np.float32), 0.99 * known])}

    draft = guess(Model((numeric(), answer)), held_out(), {"image": {"range": [0, 1]}})
    why = {guessed.key: guessed.why for guessed in draft.guesses}["labels_from"]
    assert why.startswith("the scores agree with 60 of 60 labels if they are counted from -1, and with 0 as they are")
    assert why.endswith("as where the first score is of a background that labels leave out")
    assert (draft.spec().labels_from, draft.spec().classes) == (-1, ("background", "0", "1", "2"))
    _, labels = pixels(60)
    counted = guess(
        Model((numeric(), answer)), held_out(image__label=(labels + 1).tolist()), {"image": {"range": [0, 1]}}
    )
    assert counted.spec().labels_from == 0
    assert "number 0 may be a background class" in {each.key: each.why for each in counted.guesses}["labels_from"]


def test_a_class_id_from_1_is_seen(plain):
    model = Model((numeric(), lambda x: {"dense": probabilities(x), "best": probabilities(x).argmax(axis=1) + 1}))
    outputs = guess(model, held_out(), {"image": {"range": [0, 1]}}).spec().outputs
    assert (outputs.class_id, outputs.class_id_from) == ("best", 1)


def test_scores_that_are_sorted_are_no_scores_by_class():
    def answer(x):
        means = np.asarray(x).reshape(len(x), -1).mean(axis=1)[:, np.newaxis]
        known = softmax(np.sin(9 * means * np.arange(1, 7)))
        return {"top": -np.sort(-known, axis=1)}

    with pytest.raises(
        MonitorError, match=r"no scores by class\. top: in all of 60 rows the scores fall from the first"
    ):
        guess(Model((numeric(), answer)), held_out(), {"image": {"range": [0, 1]}})
