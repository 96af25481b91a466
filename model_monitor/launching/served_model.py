"""A SavedModel loaded to be looked at and tried out. Imports TensorFlow."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.common.errors import MonitorError

from ..onboarding.described import Signature, Tensor

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import tensorflow as tf


class ServedModel:
    """A loaded SavedModel and its signatures.

    Raises:
      MonitorError: the folder holds none that can be loaded.

    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "saved_model.pb").is_file():
            raise MonitorError(f"`--saved-model` must be a folder with a saved_model.pb. Received: {str(folder)!r}")
        try:
            self._loaded = tf.saved_model.load(str(folder))
        except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
            raise MonitorError(f"The model {folder} cannot be loaded: {error}") from error

    @property
    def signatures(self) -> tuple[Signature, ...]:
        return tuple(_described(name, function) for name, function in sorted(self._loaded.signatures.items()))

    def call(self, signature: str, values: Any) -> dict[str, npt.NDArray[Any]]:
        """Every output for one batch, numbers or strings. Raises `MonitorError` where the model refuses it."""
        function = self._loaded.signatures[signature]
        [(name, spec)] = function.structured_input_signature[1].items()
        try:
            answer = function(**{name: tf.constant(values, spec.dtype)})
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise MonitorError(f"Signature {signature} refuses a batch: {str(error).splitlines()[0]}") from error
        return {key: np.asarray(value.numpy()) for key, value in answer.items()}


def _described(name: str, function: Any) -> Signature:
    inputs = function.structured_input_signature[1]
    return Signature(
        name,
        tuple(_tensor(key, spec) for key, spec in sorted(inputs.items())),
        tuple(_tensor(key, spec) for key, spec in sorted(function.structured_outputs.items())),
    )


def _tensor(name: str, spec: Any) -> Tensor:
    sides: Sequence[int | None] | None = None if spec.shape.rank is None else spec.shape.as_list()
    return Tensor(name, spec.dtype.name, None if sides is None else tuple(sides))
