import numpy as np
import pytest

from components.common.image_spec import ImageSpec
from components.image_statistics_gen import image_decoding
from components.image_statistics_gen.image_decoding import decode, why_corrupt
from tests.support.damaged_images import DAMAGED, JPEG, PNG, encoded
from tests.support.specs import image_spec

RNG = np.random.default_rng(3)


def any_size(channels):
    return ImageSpec(feature="image", format="encoded", channels=channels)


ANY_SIZE = any_size(3)


def by_row(groups):
    return {row: image for group in groups for row, image in zip(group.rows.tolist(), group.images, strict=True)}


def test_raw_rows_of_the_right_length_come_out_in_order():
    images = RNG.integers(0, 256, (3, 2, 4, 3), np.uint8)
    values = [images[0].tobytes(), b"", None, images[1].tobytes(), images[2].tobytes() + b"x", images[2].tobytes()[:-1]]
    (group,) = decode(values, image_spec((2, 4, 3)))
    assert group.rows.tolist() == [0, 3]
    np.testing.assert_array_equal(group.images, images[:2])


def test_raw_rows_that_are_all_corrupt_give_no_group():
    assert list(decode([None, b"abc"], image_spec((2, 4, 1)))) == []


@pytest.mark.parametrize("channels", [1, 3])
def test_png_files_of_several_sizes_come_out_as_they_were(channels):
    images = [RNG.integers(0, 256, (*size, channels), np.uint8) for size in [(5, 7), (3, 4), (5, 7)]]
    groups = list(decode([encoded(image) for image in images], any_size(channels)))
    assert sorted(group.images.shape for group in groups) == [(1, 3, 4, channels), (2, 5, 7, channels)]
    for row, image in by_row(groups).items():
        np.testing.assert_array_equal(image, images[row])


@pytest.mark.parametrize("file", [None, *DAMAGED.values()], ids=["missing", *DAMAGED])
def test_damaged_files_are_left_out_and_the_others_kept(file):
    groups = list(decode([PNG, file, JPEG], ANY_SIZE))
    assert sorted(by_row(groups)) == [0, 2]


def test_large_images_are_handed_on_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(image_decoding, "_PIXELS_AT_ONCE", 64)
    images = [RNG.integers(0, 256, (4, 8, 3), np.uint8) for _ in range(5)]
    groups = list(decode([encoded(image) for image in images], ANY_SIZE))
    assert [group.rows.tolist() for group in groups] == [[0, 1], [2, 3], [4]]


def test_a_file_of_another_size_than_the_spec_gives_is_corrupt():
    images = [RNG.integers(0, 256, (*size, 3), np.uint8) for size in [(5, 7), (7, 5), (5, 7)]]
    groups = list(decode([encoded(image) for image in images], image_spec((5, 7, 3), format="encoded")))
    assert [group.rows.tolist() for group in groups] == [[0, 2]]


@pytest.mark.parametrize(
    ("values", "spec", "expected"),
    [
        (None, ANY_SIZE, ("missing", "")),
        ([], ANY_SIZE, ("missing", "")),
        ([PNG, PNG], ANY_SIZE, ("several in one example", "2")),
        ([b"abcd"], image_spec((16, 16, 3)), ("that are not 768 bytes", "4")),
        ([PNG[:40]], ANY_SIZE, ("no whole PNG or JPEG file", "")),
        ([PNG[:40]], image_spec((16, 16, 3), format="encoded"), ("no whole PNG or JPEG file", "")),
        ([PNG], image_spec((28, 20, 1), format="encoded"), ("of another size than 28 x 20", "16 x 16")),
    ],
)
def test_why_an_image_is_corrupt(values, spec, expected):
    assert not list(decode([values[0] if values and len(values) == 1 else None], spec))
    assert why_corrupt(values, spec) == expected
