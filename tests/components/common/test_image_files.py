"""What image files decode to, and that nothing comes out of what is damaged, too large or of another size."""

import io

import numpy as np
import pytest
from PIL import Image

from components.common import image_files
from components.common.image_files import ImageFileError, decode, decode_or_raise, is_image_file
from tests.support.damaged_images import DAMAGED, JPEG, PNG, encoded

RNG = np.random.default_rng(3)


def test_jpeg_files_come_out_nearly_as_they_were():
    ramp = np.add.outer(np.arange(0, 128, 4), np.arange(0, 128, 4)).astype(np.uint8)
    image = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2)
    found = decode(encoded(image, "JPEG", quality=95, subsampling=0), 3)
    assert np.abs(found.astype(int) - image).mean() < 3


def test_files_are_converted_to_the_channels_asked_for():
    grey = RNG.integers(0, 256, (4, 4), np.uint8)
    np.testing.assert_array_equal(decode(encoded(grey), 3), np.repeat(grey[..., None], 3, axis=2))
    assert decode(encoded(RNG.integers(0, 256, (4, 6, 3), np.uint8)), 1).shape == (4, 6, 1)
    with_alpha = RNG.integers(0, 256, (4, 4, 4), np.uint8)
    np.testing.assert_array_equal(decode(encoded(with_alpha), 3), with_alpha[..., :3])


def test_sixteen_bits_become_the_upper_eight():
    deep = RNG.integers(0, 1 << 16, (4, 5)).astype(np.uint16)
    np.testing.assert_array_equal(decode(encoded(deep), 1)[..., 0], deep >> 8)


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_no_whole_file_is_none_and_says_why(name):
    assert decode(DAMAGED[name], 3) is None
    with pytest.raises(ImageFileError, match="no whole PNG or JPEG file"):
        decode_or_raise(DAMAGED[name], 3)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("shape", [(24, 40), (23, 37, 3), (1, 9, 3)])
def test_jpeg_files_are_decoded_as_by_pillow_and_grey_is_luma_as_it_is_stored(shape, subsampling, progressive):
    image = (np.cumsum(RNG.integers(-9, 10, shape), axis=1) % 256).astype(np.uint8)
    file = encoded(image, "JPEG", quality=80, subsampling=subsampling, progressive=progressive)
    with Image.open(io.BytesIO(file)) as read:
        np.testing.assert_array_equal(decode(file, 3), np.asarray(read.convert("RGB")))
    with Image.open(io.BytesIO(file)) as read:
        read.draft("L", None)
        np.testing.assert_array_equal(decode(file, 1)[..., 0], np.asarray(read))


def test_jpeg_files_in_print_colours_are_left_to_pillow():
    stream = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (8, 8, 4), np.uint8), "CMYK").save(stream, "JPEG")
    with Image.open(io.BytesIO(stream.getvalue())) as read:
        np.testing.assert_array_equal(decode(stream.getvalue(), 3), np.asarray(read.convert("RGB")))


def test_of_damaged_jpeg_files_none_is_read_that_pillow_refuses():
    whole = encoded(RNG.integers(0, 256, (24, 24, 3), np.uint8), "JPEG")
    read = 0
    for _ in range(400):
        file = bytearray(whole)
        place = int(RNG.integers(3, len(file)))
        file[place : place + int(RNG.integers(0, 3))] = RNG.integers(
            0, 256, int(RNG.integers(0, 3)), np.uint8
        ).tobytes()
        fast = image_files._decode_jpeg(bytes(file), 3, None)
        if fast is not None:
            read += 1
            np.testing.assert_array_equal(image_files._decode_any(bytes(file), 3, None), fast)
    assert 20 < read < 380


def test_any_cut_of_a_file_is_handled():
    for file in (PNG, JPEG):
        assert all(decode(file[:end], 3) is None for end in range(0, len(file) - 20, 7))


def test_a_file_that_claims_to_be_huge_is_left_out():
    header = bytearray(PNG)
    header[16:24] = (60000).to_bytes(4, "big") * 2
    assert decode(bytes(header), 3) is None


@pytest.mark.parametrize("file_type", ["PNG", "JPEG"])
def test_the_size_asked_for_is_height_and_width(file_type):
    file = encoded(RNG.integers(0, 256, (4, 6, 3), np.uint8), file_type)
    assert is_image_file(file)
    assert decode(file, 3, (4, 6)).shape == (4, 6, 3)
    assert decode(file, 3, (6, 4)) is None
    with pytest.raises(ImageFileError, match="the image is 4 x 6, not 6 x 4"):
        decode_or_raise(file, 3, (6, 4))


def test_an_image_of_too_many_pixels_is_refused_by_its_header_alone(monkeypatch):
    bomb = encoded(np.zeros((4000, 4000), np.uint8))  # 16 MB of pixels in 16 kB
    assert decode(bomb, 1).shape == (4000, 4000, 1)
    header = bomb[:60]  # the pixels cannot be unpacked: they are not there
    with pytest.raises(ImageFileError, match="no whole PNG"):
        decode_or_raise(header, 1)
    with pytest.raises(ImageFileError, match="4000 x 4000, not 8 x 8"):
        decode_or_raise(header, 1, (8, 8))
    for limit, size in (("MAX_PIXELS_OF_ANY_SIZE", None), ("MAX_PIXELS", (4000, 4000))):
        with pytest.raises(ImageFileError, match="no whole PNG"):
            decode_or_raise(header, 1, size)
        monkeypatch.setattr(image_files, limit, 4000 * 4000 - 1)
        with pytest.raises(ImageFileError, match="4000 x 4000, more than 15,999,999 pixels"):
            decode_or_raise(header, 1, size)


def test_36_megapixels_are_read_only_where_the_size_is_asked_for():
    photograph = encoded(np.zeros((6000, 6000), np.uint8))
    with pytest.raises(ImageFileError, match="6000 x 6000, more than 16,777,216 pixels"):
        decode_or_raise(photograph, 1)
    assert decode_or_raise(photograph, 1, (6000, 6000)).shape == (6000, 6000, 1)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (RNG.integers(0, 256, (4, 7), np.uint8), (4, 7, True)),
        (RNG.integers(0, 256, (5, 3, 3), np.uint8), (5, 3, False)),
        (RNG.integers(0, 2**16, (2, 2)).astype(np.uint16), (2, 2, True)),
    ],
)
def test_a_header_says_size_and_whether_there_are_colours(image, expected):
    assert image_files.header(encoded(image)) == expected


def test_bytes_without_a_header_have_none():
    assert image_files.header(encoded(RNG.integers(0, 256, (4, 7), np.uint8))[:20]) is None


def test_what_is_wrong_with_a_file_is_told_alike_every_time() -> None:
    for value in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\nIHDR", b"no image"):
        with pytest.raises(ImageFileError, match="no whole PNG or JPEG file: its header is damaged"):
            decode_or_raise(value, 3)
