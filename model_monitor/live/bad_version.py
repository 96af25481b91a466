"""A damaged copy of a pushed version: the same model with noise in its weights, as a push that nobody has judged.

    python -m model_monitor.live.bad_version VERSION_DIR NEW_VERSION_DIR

A process of its own, for it imports TensorFlow.
"""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from components.common import baseline_bundle
from components.common.baseline_bundle import BUNDLE, MANIFEST_FILE

_NOISE = 0.7  # of each matrix' own standard deviation
_SEED = 7
_VARIABLES = "variables"


def damage(source: Path, target: Path) -> None:
    """Makes `target`, a folder that is not there yet, of the version in `source`; servers see it whole."""
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    staging = target.parent / f".{target.name}"
    shutil.copytree(source, staging)
    reader = tf.train.load_checkpoint(str(source / _VARIABLES / _VARIABLES))
    rng = np.random.default_rng(_SEED)
    names = sorted(reader.get_variable_to_shape_map())
    values = [_noisy(reader.get_tensor(name), rng) for name in names]
    shutil.rmtree(staging / _VARIABLES)
    (staging / _VARIABLES).mkdir()
    tf.raw_ops.SaveV2(
        prefix=str(staging / _VARIABLES / _VARIABLES),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(value) for value in values],
    )
    bundle = baseline_bundle.read(str(source))
    manifest = replace(bundle.manifest, model_version=int(target.name))
    (staging / BUNDLE / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    staging.rename(target)


def _noisy(value: Any, rng: np.random.Generator) -> Any:
    """Matrices and kernels with noise; all else, such as biases and what describes the checkpoint, as it is."""
    if not isinstance(value, np.ndarray) or value.dtype != np.float32 or value.ndim < 2:
        return value
    return (value + rng.normal(0, _NOISE * value.std(), value.shape)).astype(np.float32)


if __name__ == "__main__":
    damage(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute())
