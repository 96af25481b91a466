"""A served model of floats 0..1 that tells grey levels, with held-out Examples and traffic: what users have, small."""

import sys
from pathlib import Path

from tests.support.foreign_data import Labelled, write_examples
from tests.support.plain_models import SIDE, pixels

FEATURES = {"image": "image/encoded", "label": "image/label", "id": "image/id"}


def labelled(count: int, seed: int = 0) -> Labelled:
    images, labels = pixels(count, seed=seed)
    return Labelled(tuple(images), tuple(labels.tolist()), tuple(f"{seed}-{number}" for number in range(count)))


def write_model(folder: Path) -> None:
    """The model's SavedModel. Imports TensorFlow."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 1], tf.float32, "x")])
    def serve(x):
        means = tf.reduce_mean(x, axis=[1, 2, 3])[:, tf.newaxis]
        return {"dense": tf.nn.softmax(-200 * (means - (tf.range(3.0) + 0.5) / 3) ** 2)}

    tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": serve})


def write_held_out(folder: Path, count: int = 600) -> None:
    write_examples(folder / "a.tfrecord.gz", labelled(count), FEATURES)


if __name__ == "__main__":
    write_model(Path(sys.argv[1]))
