"""Two data sets that this project was not made on, real images both: grey digits, and crops of two photographs.

scikit-learn carries them: `load_digits` (1,797 handwritten digits, 8 x 8) and `load_sample_images` (two photographs of
427 x 640). Each is drawn with a fixed seed, and written as the tf.Examples that people have: an encoded image, a label
and an id, under names of their own.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter
from sklearn import datasets

Pixels = npt.NDArray[np.uint8]

DIGIT_SIZE = 28
SMALLEST_CROP, LARGEST_CROP = 48, 128
PHOTOGRAPHS = ("temple", "flower")  # china.jpg, flower.jpg


@dataclass(frozen=True)
class Labelled:
    """Images `uint8[H, W, C]`, which may differ in size, their classes from 0, and their ids."""

    images: tuple[Pixels, ...]
    labels: tuple[int, ...]
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def part(self, start: int, stop: int) -> "Labelled":
        return Labelled(self.images[start:stop], self.labels[start:stop], self.ids[start:stop])

    def blurred(self, radius: float) -> "Labelled":
        """The same seen out of focus: blurred by a Gaussian of so many pixels."""
        return Labelled(tuple(_blurred(image, radius) for image in self.images), self.labels, self.ids)


def digits(seed: int = 0) -> Labelled:
    """All 1,797 digits in a drawn order, scaled up to 28 x 28 as MNIST's are: `uint8[28, 28, 1]`, ten classes."""
    found = datasets.load_digits()
    order = np.random.default_rng(seed).permutation(len(found.target))
    images = tuple(_scaled_up(found.images[row]) for row in order)
    return Labelled(images, tuple(int(found.target[row]) for row in order), tuple(f"digit-{row:04}" for row in order))


def crops(count: int, seed: int = 0) -> Labelled:
    """Crops of two photographs, each 48 to 128 pixels wide and high: `uint8[H, W, 3]`, class 0 or 1 by photograph."""
    photographs = [np.asarray(image, np.uint8) for image in datasets.load_sample_images().images]
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(photographs), size=count)
    images = tuple(_crop(photographs[label], rng) for label in labels)
    return Labelled(images, tuple(map(int, labels)), tuple(f"crop-{seed}-{row:05}" for row in range(count)))


def encode(image: Pixels, file_type: str = "PNG") -> bytes:
    """An image file; JPEG at quality 90."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, file_type, quality=90)
    return file.getvalue()


def write_examples(path: Path, data: Labelled, features: Mapping[str, str], file_type: str = "PNG") -> Path:
    """Writes a TFRecord file, gzipped where its name ends in .gz.

    Args:
      path: of the file; its folder is made.
      data: what is written.
      features: what the features "image", "label" and "id" are called; one that is left out is not written.
      file_type: of the images, PNG or JPEG.

    """
    import tensorflow as tf

    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else "") as writer:
        for record in _serialised(tf.train, data, features, file_type):
            writer.write(record)
    return path


def _serialised(protos: object, data: Labelled, features: Mapping[str, str], file_type: str) -> Iterable[bytes]:
    for image, label, identity in zip(data.images, data.labels, data.ids, strict=True):
        values: dict[str, Sequence[bytes] | Sequence[int]] = {}
        if "image" in features:
            values[features["image"]] = [encode(image, file_type)]
        if "label" in features:
            values[features["label"]] = [label]
        if "id" in features:
            values[features["id"]] = [identity.encode()]
        yield _example(protos, values)


def _example(protos, values) -> bytes:
    features = {}
    for name, value in values.items():
        if isinstance(value[0], bytes):
            features[name] = protos.Feature(bytes_list=protos.BytesList(value=value))
        else:
            features[name] = protos.Feature(int64_list=protos.Int64List(value=value))
    return protos.Example(features=protos.Features(feature=features)).SerializeToString()


def _scaled_up(image: npt.NDArray[np.float64]) -> Pixels:
    """8 x 8 with values 0..16 to 28 x 28 with values 0..255."""
    grey = Image.fromarray(np.rint(image * 255 / 16).astype(np.uint8))
    return np.asarray(grey.resize((DIGIT_SIZE, DIGIT_SIZE), Image.Resampling.BICUBIC), np.uint8)[..., np.newaxis]


def _crop(photograph: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = (int(n) for n in rng.integers(SMALLEST_CROP, LARGEST_CROP + 1, size=2))
    top = int(rng.integers(photograph.shape[0] - height + 1))
    left = int(rng.integers(photograph.shape[1] - width + 1))
    return np.ascontiguousarray(photograph[top : top + height, left : left + width])


def _blurred(image: Pixels, radius: float) -> Pixels:
    shown = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    return np.asarray(shown.filter(ImageFilter.GaussianBlur(radius)), np.uint8).reshape(image.shape)
