"""Examples on disk -> batches for training, of splits too large to be held: the files are read in every epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common.errors import require

from . import training_data
from .training_data import TrainingSplit, augmented, compression, files_of, read_batches

_SHUFFLED = 64 << 20  # bytes of images among which the next one is drawn
_FILES_AT_ONCE = 8
_VALIDATION_BATCH = 500
_PARTS = 1 << 20  # of the records, by a hash: those of the first ones are held out


def training_split(
    patterns: Sequence[str], image_shape: tuple[int, int, int], classes: int, *, held_out: float, seed: int
) -> TrainingSplit:
    """The tf.Examples of the TFRecord files that match globs: in memory up to `MOST_HELD` bytes, else streamed.

    Args:
      patterns: globs of TFRecord files, gzipped where the name ends in .gz.
      image_shape: of every image; `image` must hold exactly its product in bytes.
      classes: `label` must be 0 to `classes - 1`.
      held_out: the proportion to validate with, 0 < held_out < 1.
      seed: says which.

    Raises:
      MonitorError: no file matches, a file is not readable, an example breaks the rules above, or nothing would be left
        to train on or to validate with.

    """
    files = files_of(patterns)
    data = training_data.read(files, image_shape, classes)
    if data is None:
        return _survey(files, image_shape, classes, held_out, seed)
    return training_data.HeldSplit(*training_data.hold_out(data, held_out, seed), classes)


@dataclass(frozen=True)
class StreamedSplit:
    """A `TrainingSplit` that stays on disk.

    A record is held out by a hash of it. The order of an epoch is drawn anew each time: that of the files, and within
    `_FILES_AT_ONCE` of them that of the images, each among those in a buffer of `_SHUFFLED` bytes. It depends on how
    examples are spread over files, which Beam does not promise to do twice alike.

    Attributes:
      trained: how many examples are to train on.
      validated: how many are held out.
      key: of the hash.
      held_parts: of `_PARTS`.

    """

    files: tuple[str, ...]
    image_shape: tuple[int, int, int]
    classes: int
    trained: int
    validated: int
    key: tuple[int, int]
    held_parts: int
    some: npt.NDArray[np.uint8]

    def batches(self, *, batch_size: int, seed: int, augment: bool) -> tf.data.Dataset:
        size = min(batch_size, self.trained)
        shuffled = max(size, _SHUFFLED // math.prod(self.image_shape))
        records = self._records(seed).filter(lambda record: not self._is_held_out(record))
        records = records.shuffle(shuffled, seed=seed).batch(size, drop_remainder=True)
        seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)

        def batch(rows: tf.Tensor, seed_pair: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            images, labels = self._parsed(rows)
            return (augmented(images, seed_pair) if augment else images), labels

        made = tf.data.Dataset.zip(records, seeds).map(batch).prefetch(2)
        return made.apply(tf.data.experimental.assert_cardinality(self.trained // size))

    def validation(self) -> tf.data.Dataset:
        made = self._records().filter(self._is_held_out).batch(_VALIDATION_BATCH).map(self._parsed)
        return made.apply(tf.data.experimental.assert_cardinality(math.ceil(self.validated / _VALIDATION_BATCH)))

    def _records(self, seed: int | None = None) -> tf.data.Dataset:
        """All records; shuffled as to files where there is a seed."""
        files = tf.data.Dataset.from_tensor_slices((list(self.files), [compression(path) for path in self.files]))
        if seed is None:
            return files.flat_map(tf.data.TFRecordDataset)
        return files.shuffle(len(self.files), seed=seed).interleave(
            tf.data.TFRecordDataset, cycle_length=_FILES_AT_ONCE, deterministic=True
        )

    def _is_held_out(self, records: tf.Tensor) -> tf.Tensor:
        return tf.strings.to_hash_bucket_strong(records, _PARTS, list(self.key)) < self.held_parts

    def _parsed(self, records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        features = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}
        parsed = tf.io.parse_example(records, features)
        pixels = tf.io.decode_raw(parsed["image"], tf.uint8, fixed_length=math.prod(self.image_shape))
        return tf.reshape(pixels, [-1, *self.image_shape]), tf.one_hot(parsed["label"], self.classes)


def _survey(
    files: Sequence[str], image_shape: tuple[int, int, int], classes: int, held_out: float, seed: int
) -> StreamedSplit:
    """Reads all examples once: whether they are what they must be, how many there are, and a sample of them."""
    key, parts = (seed, 0), round(held_out * _PARTS)
    trained = validated = 0
    some, drawn = np.empty((0, *image_shape), np.uint8), np.empty(0, np.int64)
    for path in files:
        for batch in read_batches(path, image_shape, classes):
            lots = tf.strings.to_hash_bucket_strong(batch.records, _PARTS, list(key)).numpy()
            kept = lots >= parts
            trained += int(kept.sum())
            validated += int((~kept).sum())
            again = tf.strings.to_hash_bucket_strong(batch.records, 1 << 62, [seed, 1]).numpy()[kept]
            some, drawn = np.concatenate([some, batch.images[kept]]), np.concatenate([drawn, again])
            smallest = np.argsort(drawn, kind="stable")[: training_data.LEARNT_FROM]
            some, drawn = some[smallest], drawn[smallest]
    rule = f"leave at least one of {trained + validated} training examples on either side"
    require(min(trained, validated) > 0, "trainer.validation_fraction", rule, held_out)
    return StreamedSplit(tuple(files), image_shape, classes, trained, validated, key, parts, some)
