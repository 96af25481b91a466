"""SavedModels that do a server harm: real ones, of TensorFlow's own operations. Imports TensorFlow."""

from pathlib import Path

import tensorflow as tf

SIGNATURE = [tf.TensorSpec([None, 2], tf.float32, name="x")]


class _Model(tf.Module):
    """Answers `[N, 2]` numbers with themselves, once it has done the harm."""

    def harm(self, x):
        return tf.constant(0.0)

    @tf.function(input_signature=SIGNATURE)
    def serve(self, x):
        return {"probabilities": tf.nn.softmax(x) + 0 * self.harm(x)}


def endless(x):
    """Never ends, and always has something to say, of which much is heard before the next look at the clock."""

    def body(y):
        tf.print("still here")
        return (y * 0.5 + 1.0,)

    return tf.while_loop(lambda y: tf.reduce_sum(y) < 1e30, body, (x,))[0][0, 0]


class Loops(_Model):
    def harm(self, x):
        return endless(x)


class Aborts(_Model):
    def harm(self, x):
        with tf.control_dependencies([tf.raw_ops.Abort(error_msg="I give up")]):
            return tf.constant(0.0)


class Exits(_Model):
    def harm(self, x):
        with tf.control_dependencies([tf.raw_ops.Abort(exit_without_error=True)]):
            return tf.constant(0.0)


class Grows(_Model):
    """Takes 4 GiB at once."""

    def harm(self, x):
        size = tf.cast(tf.reduce_sum(x) * 0, tf.int32) + (1 << 30)
        return tf.reduce_sum(tf.random.uniform([size]))


class _Resource(tf.saved_model.experimental.TrackableResource):
    """Never done when it is made anew, which is when the model is loaded."""

    def _create_resource(self):
        return tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.int64)

    @tf.function(input_signature=[])
    def _initialize(self):
        with tf.control_dependencies([endless(tf.random.uniform([1, 2]))]):
            return tf.constant(1)


class LoopsWhenLoaded(_Model):
    def __init__(self):
        super().__init__()
        self.resource = _Resource()

    def harm(self, x):
        return tf.cast(tf.raw_ops.LookupTableSizeV2(table_handle=self.resource.resource_handle), tf.float32)


def save(kind: type[_Model], folder: Path) -> str:
    """Saves a model of this kind; returns the folder."""
    module = kind()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    return str(folder)
