"""Images by the names of a spec or of canonical rows, and what is said where there are none."""

import base64
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.common.artifacts.files import Artifact, local_files
from components.common.errors import MonitorError
from components.validation_report.stored_images import png, read_images
from tests.support import foreign_data
from tests.support.model_specs import digits_spec

NAMES = {"image": "image/encoded", "label": "image/class/label", "id": "image/id"}


@pytest.fixture(scope="module")
def digits():
    return foreign_data.digits().part(0, 20)


@pytest.fixture
def written(tmp_path, digits):
    """Digits as `Examples`, under these names of features."""

    def write(names):
        foreign_data.write_examples(tmp_path / "Split-eval" / "data.gz", digits, names)
        return Artifact(str(tmp_path), "Examples", properties={"split_names": json.dumps(["eval"])})

    return write


@pytest.mark.parametrize("names", [NAMES, {"image": "image", "label": "label", "id": "id"}])
def test_images_are_found_by_the_names_of_the_spec_and_of_canonical_rows(written, digits, names):
    wanted = [digits.ids[3], digits.ids[15], "not there", ""]
    found = read_images(written(names), "eval", wanted, local_files(), digits_spec())
    assert found == {digits.ids[row]: foreign_data.encode(digits.images[row]) for row in (3, 15)}


def test_images_that_were_read_before_are_not_read_again_while_the_files_stay(written, digits):
    examples, reads = written(NAMES), []
    local = local_files()
    files = replace(local, open=lambda path: reads.append(path) or local.open(path))

    def found(*rows):
        reads.clear()
        return read_images(examples, "eval", [digits.ids[row] for row in rows], files, digits_spec())

    first = found(3, 15)
    assert reads
    assert found(15) == {digits.ids[15]: first[digits.ids[15]]}
    assert not reads
    assert len(found(15, 4)) == 2
    assert reads
    os.utime(*Path(examples.uri, "Split-eval").glob("*"), ns=(1, 1))
    assert found(3, 15) == first
    assert reads


@pytest.mark.parametrize("spec", [None, digits_spec(id=None), digits_spec(id="name")])
def test_why_there_is_no_image_is_said_with_the_names_that_there_are(written, digits, spec):
    with pytest.raises(MonitorError, match=r"'image' by 'id'.*Received: the features image/class/label, image/encoded"):
        read_images(written(NAMES), "eval", [digits.ids[0]], local_files(), spec)


def test_an_empty_split_is_said(tmp_path):
    path = tmp_path / "Split-eval"
    path.mkdir()
    tf.io.TFRecordWriter(str(path / "data")).close()
    examples = Artifact(str(tmp_path), "Examples", properties={"split_names": json.dumps(["eval"])})
    with pytest.raises(MonitorError, match="Received: no example"):
        read_images(examples, "eval", ["a"], local_files(), digits_spec())


def decoded(picture):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture[0].removeprefix("data:image/png;base64,")))))


def test_raw_pixels_have_the_size_that_the_spec_says():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 48, 1), np.uint8)
    image = digits_spec(image={"format": "raw", "size": [12, 48]}).image
    picture = png(pixels.tobytes(), image)
    assert picture[1:] == (48, 12)
    np.testing.assert_array_equal(decoded(picture), pixels[..., 0])
    assert png(pixels.tobytes()[:-1], image) is None
    assert png(pixels.tobytes())[1:] == (24, 24)  # 576 bytes: without a spec, a square
