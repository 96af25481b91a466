"""Examples on disk -> batches for training. A split of up to `MOST_HELD` bytes is held in memory, a byte a channel.

Of a larger one, `streamed_data` reads the files in every epoch.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common.errors import MonitorError, require

MOST_HELD = 200_000_000  # bytes of pixels: 65,000 images of 32 x 32; while it is read and divided, three times as much
LEARNT_FROM = 10_000  # images from which whitening and embedding are fitted: more change the embedding's third decimal
_READ_BATCH = 1000  # examples
_SHIFT = 2  # pixels an image is moved at most, in each direction, by augmentation


@dataclass(frozen=True)
class LabelledImages:
    """`images` uint8 [N, height, width, 3] and `labels` int64 [N]."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: npt.NDArray[np.int64]) -> "LabelledImages":
        return LabelledImages(self.images[indices], self.labels[indices])


class TrainingSplit(Protocol):
    """What a trainer needs of a split, a part of which is held out of training to validate with."""

    @property
    def some(self) -> npt.NDArray[np.uint8]:
        """Images to train on, drawn at random: `LEARNT_FROM` of them, or all."""

    def batches(self, *, batch_size: int, seed: int, augment: bool) -> tf.data.Dataset:
        """As `training_batches`, of known length."""

    def validation(self) -> tf.data.Dataset:
        """As `validation_batches`."""


@dataclass(frozen=True)
class HeldSplit:
    """A `TrainingSplit` in memory."""

    training: LabelledImages
    held_out: LabelledImages
    classes: int

    @property
    def some(self) -> npt.NDArray[np.uint8]:
        return self.training.images[:LEARNT_FROM]  # their order is random

    def batches(self, *, batch_size: int, seed: int, augment: bool) -> tf.data.Dataset:
        return training_batches(self.training, batch_size=batch_size, classes=self.classes, seed=seed, augment=augment)

    def validation(self) -> tf.data.Dataset:
        return validation_batches(self.held_out, classes=self.classes)


class ReadBatch(NamedTuple):
    """Some examples of a file: `records` [N] serialised, `images` uint8 [N, height, width, 3], `labels` int64 [N]."""

    records: tf.Tensor
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


def files_of(patterns: Sequence[str]) -> list[str]:
    """The files that match globs, in order. Raises `MonitorError` where none does."""
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    require(bool(files), "train_files", "match at least one file", list(patterns))
    return files


def read(files: Sequence[str], image_shape: tuple[int, int, int], classes: int) -> LabelledImages | None:
    """All tf.Examples of TFRecord files, in an order that follows from their content alone.

    Beam promises no order of the records it writes; sorting them makes training repeatable all the same.

    Args:
      files: gzipped where the name ends in .gz.
      image_shape: of every image; `image` must hold exactly its product in bytes.
      classes: `label` must be 0 to `classes - 1`.

    Returns:
      None where the images have more than `MOST_HELD` bytes.

    Raises:
      MonitorError: a file is not readable, or an example breaks the rules above.

    """
    images, labels, held = [], [], 0
    for path in files:
        for batch in read_batches(path, image_shape, classes):
            images.append(batch.images)
            labels.append(batch.labels)
            held += batch.images.nbytes
            if held > MOST_HELD:
                return None
    require(bool(labels), "examples", "hold at least one example", list(files))
    return _sorted_by_content(LabelledImages(np.concatenate(images), np.concatenate(labels)))


def read_batches(path: str, image_shape: tuple[int, int, int], classes: int) -> Iterator[ReadBatch]:
    """The examples of a file. Raises as `read`."""
    features = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}
    records = tf.data.TFRecordDataset(path, compression_type=compression(path))
    try:
        for batch in records.batch(_READ_BATCH):
            parsed = tf.io.parse_example(batch, features)
            labels = parsed["label"].numpy()
            wrong = labels[(labels < 0) | (labels >= classes)]
            require(len(wrong) == 0, "label", f"be 0 to {classes - 1} in {path}", wrong[:5].tolist())
            yield ReadBatch(batch, _decode(parsed["image"].numpy(), image_shape, path), labels)
    except (tf.errors.InvalidArgumentError, tf.errors.DataLossError, UnicodeDecodeError) as error:
        # TensorFlow quotes a record that is no Example at all, and Python cannot decode that (docs/traps.md)
        why = "a record is none" if isinstance(error, UnicodeDecodeError) else error.message
        raise MonitorError(f"{path} must hold tf.Examples with `image` and `label`: {why}") from error


def compression(path: str) -> str:
    """How a file is packed, as `tf.data` says it."""
    return "GZIP" if path.endswith(".gz") else ""


def _decode(values: npt.NDArray[np.object_], image_shape: tuple[int, int, int], path: str) -> npt.NDArray[np.uint8]:
    size = int(np.prod(image_shape))
    lengths = {len(value) for value in values}
    require(lengths == {size}, f"image in {path}", f"be {size} bytes", sorted(lengths))
    return np.frombuffer(b"".join(values), np.uint8).reshape(-1, *image_shape)


def _sorted_by_content(data: LabelledImages) -> LabelledImages:
    # blake2b: faster than the SHA family, and the order only has to be the same everywhere
    digests = [hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in data.images]
    order = sorted(range(len(data)), key=lambda i: (digests[i], data.labels[i]))
    return data.take(np.array(order))


def hold_out(data: LabelledImages, fraction: float, seed: int) -> tuple[LabelledImages, LabelledImages]:
    """`data` split at random, by `seed`, into what to train on and the `fraction` (0 < fraction < 1) to validate with.

    Raises:
      MonitorError: one of the two would be empty.

    """
    held = round(len(data) * fraction)
    rule = f"leave at least one of {len(data)} training examples on either side"
    require(0 < held < len(data), "trainer.validation_fraction", rule, fraction)
    order = np.random.default_rng(seed).permutation(len(data))
    return data.take(order[held:]), data.take(order[:held])


def training_batches(
    data: LabelledImages, *, batch_size: int, classes: int, seed: int, augment: bool
) -> tf.data.Dataset:
    """One epoch of (images uint8 [B, ...], one-hot labels float32 [B, classes]), shuffled anew each time it is read.

    A last, smaller batch is left out, except where it is the only one: batch normalisation does badly on a few images.
    """
    images, labels = tf.constant(data.images), tf.one_hot(data.labels, classes)
    count = len(data)

    def batch(indices: tf.Tensor, seed_pair: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        chosen = tf.gather(images, indices)
        return (augmented(chosen, seed_pair) if augment else chosen), tf.gather(labels, indices)

    indices = tf.data.Dataset.range(count).shuffle(count, seed=seed)
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    batches = indices.batch(min(batch_size, count), drop_remainder=True)
    return tf.data.Dataset.zip(batches, seeds).map(batch).prefetch(2)


def validation_batches(data: LabelledImages, *, classes: int, batch_size: int = 500) -> tf.data.Dataset:
    """(images, one-hot labels) of all examples, in order."""
    return tf.data.Dataset.from_tensor_slices((data.images, tf.one_hot(data.labels, classes))).batch(batch_size)


def augmented(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Each of `images` [B, H, W, C] mirrored left to right or not, and moved by up to 2 pixels each way, by `seed` [2].

    What comes in at the borders is the image's own reflection. It is one operation on bytes, because augmentation that
    works image by image costs more than a step of a small net.
    """
    count, width = tf.shape(images)[0], tf.shape(images)[2]
    mirror = tf.cast(tf.random.stateless_uniform([count], seed, 0, 2, tf.int32), tf.float32)
    shift = tf.random.stateless_uniform([count, 2], seed + 1, -_SHIFT, _SHIFT + 1, tf.int32)
    right, down = tf.unstack(tf.cast(shift, tf.float32), axis=1)
    one, zero = tf.ones_like(mirror), tf.zeros_like(mirror)
    # rows (a0, a1, a2, b0, b1, b2, c0, c1): the output pixel (x, y) is the input's (a0 x + a1 y + a2, b0 x + b1 y + b2)
    start = mirror * tf.cast(width - 1, tf.float32) + right
    transforms = tf.stack([one - 2 * mirror, zero, start, zero, one, down, zero, zero], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="REFLECT",
    )
