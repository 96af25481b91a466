"""A trained classifier -> SavedModel with the signatures that the pipeline's components and servers call."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common.errors import require

from .classifier import FEATURES, with_fixed_signs

EMBEDDING_SIZE = 16
SERVING_SIGNATURE = "serving_default"  # takes images
EXAMPLES_SIGNATURE = "examples"  # takes serialised tf.Examples
IMAGE_INPUT = "image"
EXAMPLES_INPUT = "examples"


@dataclass(frozen=True)
class Projection:
    """The frozen map from features [B, D] to embeddings [B, 16]: `(features - mean) @ components`."""

    mean: npt.NDArray[np.float32]  # [D]
    components: npt.NDArray[np.float32]  # [D, 16]


def fit_projection(features: npt.NDArray[np.float32]) -> Projection:
    """The 16 leading principal components of `features` [N, D], each scaled to variance 1 on them.

    The scale makes the embedding's numbers comparable between models: most lie in -3..3 whatever the net. A component
    in which the features do not vary (fewer than 17 images, or dead units) gives 0. Signs are fixed by
    `with_fixed_signs`, so the same features give the same projection.

    Raises:
      MonitorError: the features have fewer than 16 dimensions, or are not finite.

    """
    require(
        features.ndim == 2 and features.shape[1] >= EMBEDDING_SIZE, "features", "be [N, 16 or more]", features.shape
    )
    require(bool(np.isfinite(features).all()), "features", "be finite", "NaN or infinite values")
    wide = features.astype(np.float64)
    mean = wide.mean(axis=0)
    variances, vectors = np.linalg.eigh((wide - mean).T @ (wide - mean) / len(wide))
    variances, vectors = variances[::-1][:EMBEDDING_SIZE], with_fixed_signs(vectors[:, ::-1][:, :EMBEDDING_SIZE])
    # relative to the largest, eigenvalues below this are rounding errors
    varies = variances > max(variances[0], 0) * 1e-10
    scale = np.where(varies, 1 / np.sqrt(np.where(varies, variances, 1)), 0)
    return Projection(mean.astype(np.float32), (vectors * scale).astype(np.float32))


def with_features(model: keras.Model) -> keras.Model:
    """`model` with two outputs: probabilities [B, classes] and features [B, D]."""
    return keras.Model(model.input, [model.output, model.get_layer(FEATURES).output])


def export(model: keras.Model, projection: Projection, class_names: Sequence[str], directory: str) -> None:
    """Writes `model` to `directory` as a SavedModel with two signatures.

    `serving_default` takes `image`, uint8 [B, height, width, 3]; `examples` takes `examples`, string [B], serialised
    tf.Examples whose `image` holds the same bytes, row by row. Both return, for any B:

      class_id        int64 [B]
      class_name      string [B]; of `examples` [B, 1], because tfx_bsl's RunInference, which is BulkInferrer's, fails
                      on strings of rank 1: "'bytes' object has no attribute 'dtype'"
      probabilities   float32 [B, classes]
      confidence      float32 [B], the largest probability
      embedding       float32 [B, 16], see `fit_projection`
    """
    classes = model.output_shape[-1]
    require(len(class_names) == classes, "class_names", f"be {classes} names", list(class_names))
    image_shape = model.input_shape[1:]
    both = with_features(model)
    names = tf.constant(list(class_names))
    mean, components = tf.constant(projection.mean), tf.constant(projection.components)

    def answer(image: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities, features = both(image, training=False)
        class_id = tf.argmax(probabilities, axis=1, output_type=tf.int64)
        return {
            "class_id": class_id,
            "class_name": tf.gather(names, class_id),
            "probabilities": probabilities,
            "confidence": tf.reduce_max(probabilities, axis=1),
            "embedding": tf.matmul(features - mean, components),
        }

    def answer_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {"image": tf.io.FixedLenFeature([], tf.string)})
        pixels = tf.io.decode_raw(parsed["image"], tf.uint8)
        # without it, images of twice the size would be read as twice as many images
        pixels = tf.ensure_shape(pixels, [None, math.prod(image_shape)])
        outputs = answer(tf.reshape(pixels, [-1, *image_shape]))
        return {**outputs, "class_name": outputs["class_name"][:, tf.newaxis]}

    # Saving a tf.Module that holds the model works for TFMA; BulkInferrer then fails with "Could not find variable".
    archive = keras.export.ExportArchive()
    archive.track(both)
    image_spec = tf.TensorSpec([None, *image_shape], tf.uint8, name=IMAGE_INPUT)
    archive.add_endpoint(SERVING_SIGNATURE, answer, input_signature=[image_spec])
    examples_spec = tf.TensorSpec([None], tf.string, name=EXAMPLES_INPUT)
    archive.add_endpoint(EXAMPLES_SIGNATURE, answer_examples, input_signature=[examples_spec])
    archive.write_out(directory, verbose=False)
