"""Which shapes are images; without TensorFlow."""

import pytest

from components.common.image_spec import ImageSpec
from components.serving_log_example_gen.image_shapes import as_batch, wanted
from components.serving_log_example_gen.problems import BrokenError, Problem
from tests.support.specs import image_spec

COLOUR, GREY = image_spec((4, 5, 3)), image_spec((4, 5, 1))
ANY_COLOUR, ANY_GREY = (ImageSpec(feature="x", format="encoded", channels=channels) for channels in (3, 1))


@pytest.mark.parametrize(
    ("image", "shape", "expected"),
    [
        (COLOUR, (7, 4, 5, 3), (7, 4, 5, 3)),
        (COLOUR, (4, 5, 3), (1, 4, 5, 3)),
        (COLOUR, (7, 60), (7, 4, 5, 3)),
        (COLOUR, (60,), (1, 4, 5, 3)),
        (GREY, (7, 4, 5, 1), (7, 4, 5, 1)),
        (GREY, (7, 4, 5), (7, 4, 5, 1)),
        (GREY, (1, 4, 5), (1, 4, 5, 1)),
        (GREY, (4, 5, 1), (1, 4, 5, 1)),
        (GREY, (4, 5), (1, 4, 5, 1)),
        (GREY, (7, 20), (7, 4, 5, 1)),
        (ANY_COLOUR, (7, 9, 8, 3), (7, 9, 8, 3)),
        (ANY_COLOUR, (9, 8, 3), (1, 9, 8, 3)),
        (ANY_GREY, (7, 9, 8, 1), (7, 9, 8, 1)),
        (ANY_GREY, (7, 9, 8), (7, 9, 8, 1)),
        (ANY_GREY, (9, 8, 1), (1, 9, 8, 1)),
        (ANY_GREY, (9, 8), (1, 9, 8, 1)),
    ],
)
def test_batches_and_single_images(image: ImageSpec, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert as_batch(shape, image, "input") == expected


@pytest.mark.parametrize(
    ("image", "shape", "problem"),
    [
        (COLOUR, (7, 3, 4, 5), Problem.CHANNELS_FIRST),
        (COLOUR, (3, 4, 5), Problem.WRONG_SHAPE),  # three grey images without a channel, for all one knows
        (GREY, (7, 1, 4, 5), Problem.CHANNELS_FIRST),
        (ANY_COLOUR, (7, 3, 9, 8), Problem.CHANNELS_FIRST),
        (ANY_COLOUR, (3, 9, 8), Problem.WRONG_SHAPE),
        (COLOUR, (7, 5, 4, 3), Problem.WRONG_SHAPE),
        (COLOUR, (7, 4, 5, 1), Problem.WRONG_SHAPE),
        (COLOUR, (7, 4, 5), Problem.WRONG_SHAPE),
        (COLOUR, (), Problem.WRONG_SHAPE),
        (GREY, (7, 4, 5, 3), Problem.WRONG_SHAPE),
        (GREY, (7, 28, 28), Problem.WRONG_SHAPE),
        (ANY_COLOUR, (7, 9, 8, 4), Problem.WRONG_SHAPE),
        (ANY_COLOUR, (7, 1000), Problem.WRONG_SHAPE),
        (ANY_GREY, (7, 9, 8, 3), Problem.WRONG_SHAPE),
        (COLOUR, (0, 4, 5, 3), Problem.NO_IMAGE),
        (ANY_GREY, (2, 0, 5), Problem.NO_IMAGE),
    ],
)
def test_what_is_no_image_says_what_was_wanted_and_what_came(
    image: ImageSpec, shape: tuple[int, ...], problem: Problem
) -> None:
    with pytest.raises(BrokenError) as error:
        as_batch(shape, image, "input_image")
    assert error.value.problem is problem
    assert str(list(shape)) in error.value.reason
    assert "'input_image'" in error.value.reason
    assert problem is Problem.NO_IMAGE or wanted(image) in error.value.reason


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (COLOUR, "[batch, 4, 5, 3] or [batch, 60]"),
        (GREY, "[batch, 4, 5, 1], [batch, 4, 5] or [batch, 20]"),
        (ANY_COLOUR, "[batch, height, width, 3]"),
        (ANY_GREY, "[batch, height, width, 1] or [batch, height, width]"),
    ],
)
def test_wanted_shapes_in_words(image: ImageSpec, words: str) -> None:
    assert wanted(image) == words
