"""SavedModels, loaded as a server loads them: TensorFlow 2's loader, the tag set `serve`, called by signature."""

import posixpath
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from .tensors import STRING, Batch, ModelFailedError, TensorInfo, signature_named

# Lines with which TensorFlow begins an error in a graph.
_PREAMBLE = ("Graph execution error", "Detected at node", "<stack traces unavailable>")
TAGS = ["serve"]  # what TensorFlow Serving loads; without a name the loader takes whatever single tag set there is


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
    """A loaded SavedModel, of Keras 3, Keras 2, TensorFlow 1 or any other maker, with one tag set or several.

    Attributes:
      path: its folder.
      signatures: what it can be asked by, by name.

    Raises:
      ModelFailedError: it cannot be loaded, has no tag set `serve`, or has no signature at all. A `.keras` file is no
        SavedModel.

    """

    def __init__(self, path: str) -> None:
        try:
            self._model = tf.saved_model.load(path, tags=TAGS)  # kept: its variables live as long as it does
            self.signatures = _signatures(self._model)
        except Exception as error:  # loading runs whatever the model holds, so anything can come out
            why = _other_tags(path) or f"{_brief(error)}{_hint(path)}"
            raise ModelFailedError(f"the model at {path} cannot be loaded: {why}") from error
        self.path = path
        if not self.signatures:
            raise ModelFailedError(f"the model at {path} has no signature, so no server can ask it")

    def signature(self, name: str) -> Signature:
        """Raises `ModelFailedError` for a name that is none of the signatures, listing these."""
        return signature_named(name, self.signatures)


def signature_definitions(path: str) -> dict[str, Any]:
    """TensorFlow's own description of each signature that a server can be asked by (`SignatureDef`), by name.

    Raises:
      ModelFailedError: they cannot be read.

    """
    try:
        graphs = [each for each in _graphs(path) if sorted(each.meta_info_def.tags) == TAGS]
        return dict(graphs[0].signature_def)
    except Exception as error:  # the parser's, the file system's
        raise ModelFailedError(f"the signatures of {path} cannot be read: {_brief(error)}") from error


def _graphs(path: str) -> Any:
    with tf.io.gfile.GFile(posixpath.join(path, "saved_model.pb"), "rb") as file:
        return saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs


def _signatures(model: Any) -> dict[str, Signature]:
    """What can be asked. TensorFlow 1 keeps what is run after loading among the signatures; that has no outputs."""
    functions = dict(model.signatures)
    asked = {name: each for name, each in functions.items() if None not in dict(each.structured_outputs).values()}
    return {name: Signature(name, function) for name, function in asked.items()}


def _infos(specs: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {
        name: TensorInfo(tuple(spec.shape) if spec.shape.rank is not None else None, str(spec.dtype.name))
        for name, spec in specs.items()
    }


def _other_tags(path: str) -> str:
    """What is wrong with the tag sets of a model; "" where one is `serve`, or where they cannot be read."""
    try:
        graphs = _graphs(path)
    except Exception:  # what the loader said says more
        return ""
    found = [sorted(graph.meta_info_def.tags) for graph in graphs]
    return "" if TAGS in found else f"a server loads the tag set {TAGS}, and the model has {found}"


def _hint(path: str) -> str:
    if path.rstrip("/").endswith((".keras", ".h5")):
        return ". This is a file of Keras, no SavedModel: write one with model.export(folder)"
    return ""


def _brief(error: Exception, limit: int = 300) -> str:
    """An exception's type and the first line of what it says that tells anything."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(_PREAMBLE)]
    return f"{type(error).__name__}: {telling[0][:limit]}" if telling else type(error).__name__
