"""SavedModels, loaded as a server loads them: TensorFlow 2's loader, the tag set `serve`, called by signature."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from ..common.errors import MonitorError, nearest
from .tensors import STRING, Batch, TensorInfo

TAGS = ["serve"]  # what TensorFlow Serving loads; without a name the loader takes whatever single tag set there is


class ModelFailedError(MonitorError):
    """A model that cannot be loaded, or that fails on what it is asked."""


class Signature:
    """One signature of a loaded model.

    Attributes:
      name: its name.
      inputs: what it takes, by name.
      outputs: what it gives, by name.

    """

    def __init__(self, name: str, function: Any) -> None:
        self.name = name
        self._function = function
        self.inputs = _infos(function.structured_input_signature[1])
        self.outputs = _infos(function.structured_outputs)

    def __call__(self, batch: Mapping[str, Any]) -> Batch:
        """The outputs for one batch.

        Args:
          batch: arrays by input; numbers are cast to the input's type. Strings come as arrays of bytes objects.

        Raises:
          ModelFailedError: the model fails on it.

        """
        try:
            outputs = self._function(**{name: self._tensor(name, value) for name, value in batch.items()})
            return {name: value.numpy() for name, value in outputs.items()}
        except Exception as error:  # the model is not our code: whatever it raises is the answer
            raise ModelFailedError(f"the model fails: {_brief(error)}") from error

    def _tensor(self, name: str, value: Any) -> tf.Tensor:
        info = self.inputs.get(name)
        tensor = tf.constant(value)
        if info is None or STRING in (info.dtype, tensor.dtype.name) or tensor.dtype.name == info.dtype:
            return tensor
        return tf.cast(tensor, info.dtype)


class SavedModel:
    """A loaded SavedModel, of Keras 3, Keras 2 or any other maker.

    Attributes:
      path: its folder.
      signatures: what it can be asked by, by name.

    Raises:
      ModelFailedError: it cannot be loaded, or has no signature at all. A `.keras` file is no SavedModel.

    """

    def __init__(self, path: str) -> None:
        try:
            self._model = tf.saved_model.load(path, tags=TAGS)  # kept: its variables live as long as it does
        except Exception as error:  # loading runs whatever the model holds, so anything can come out
            raise ModelFailedError(f"the model at {path} cannot be loaded: {_brief(error)}{_hint(path)}") from error
        self.path = path
        self.signatures = {name: Signature(name, function) for name, function in self._model.signatures.items()}
        if not self.signatures:
            raise ModelFailedError(f"the model at {path} has no signature, so no server can ask it")

    def signature(self, name: str) -> Signature:
        """Raises `ModelFailedError` for a name that is none of the signatures, listing these."""
        if name not in self.signatures:
            known = sorted(self.signatures)
            raise ModelFailedError(f"the model has no signature {name!r}, only {known}{nearest(name, known)}")
        return self.signatures[name]


def _infos(specs: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {
        name: TensorInfo(tuple(spec.shape) if spec.shape.rank is not None else None, str(spec.dtype.name))
        for name, spec in specs.items()
    }


def _hint(path: str) -> str:
    if path.rstrip("/").endswith((".keras", ".h5")):
        return ". This is a file of Keras, no SavedModel: write one with model.export(folder)"
    return ""


def _brief(error: Exception, limit: int = 300) -> str:
    """An exception's type and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:limit]}" if lines else type(error).__name__
