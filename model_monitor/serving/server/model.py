"""A loaded version of a model, asked as TensorFlow Serving asks it: what does not fit its signature is refused."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.served_model.saved_model import SavedModel, Signature, signature_definitions
from components.served_model.tensors import Batch, ModelFailedError, TensorInfo

from ..protocols.classify_json import Classes
from ..protocols.signatures import DEFAULT_SIGNATURE
from .errors import Code, NotAnsweredError, invalid

CLASSIFY = "tensorflow/serving/classify"
_EXAMPLES, _CLASSES, _SCORES = "inputs", "classes", "scores"  # what the tensors of such a signature are called


class Model:
    """One version.

    Attributes:
      definitions: TensorFlow's description of each signature, by name.

    Raises:
      ModelFailedError: the folder holds no SavedModel that can be served.

    """

    def __init__(self, folder: str) -> None:
        self._model = SavedModel(folder)
        self.definitions: dict[str, Any] = {
            name: each for name, each in signature_definitions(folder).items() if name in self._model.signatures
        }

    @property
    def usual(self) -> tuple[dict[str, TensorInfo], dict[str, TensorInfo]]:
        """Inputs and outputs of the usual signature; none where it has none of that name."""
        signature = self._model.signatures.get(DEFAULT_SIGNATURE)
        return ({}, {}) if signature is None else (signature.inputs, signature.outputs)

    def inputs_of(self, signature: str) -> Mapping[str, TensorInfo]:
        """The inputs of a signature. Raises `NotAnsweredError`, as over REST, where there is none of the name."""
        name = signature or DEFAULT_SIGNATURE
        if name not in self._model.signatures:
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        return self._model.signatures[name].inputs

    def predict(self, signature: str, inputs: Batch, only: Sequence[str] = ()) -> Batch:
        """The outputs for one batch.

        Args:
          signature: its name; "" for the usual one.
          inputs: every input of the signature, of its type.
          only: the outputs that are wanted; all where there are none.

        Raises:
          NotAnsweredError: the request does not fit the signature, or the model fails on it.

        """
        name = signature or DEFAULT_SIGNATURE
        if name not in self._model.signatures:
            raise NotAnsweredError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        asked = self._model.signatures[name]
        _check_names(asked, inputs)
        for key, value in inputs.items():
            _check_tensor(key, value, asked.inputs[key])
        unknown = sorted(set(only) - set(asked.outputs))
        if unknown:
            told = f"Outputs expected to be in the set {{{','.join(sorted(asked.outputs))}}}."
            raise invalid(f"output tensor alias not found in signature: {unknown[0]} {told}")
        outputs = _asked(asked, inputs)
        return {key: outputs[key] for key in only} if only else outputs

    def classify(self, signature: str, examples: Sequence[bytes]) -> list[Classes]:
        """The classes of tf.Examples, with their scores, by a signature that is made for it.

        Raises:
          NotAnsweredError: there is no such signature, or the model fails.

        """
        name = signature or DEFAULT_SIGNATURE
        if name not in self.definitions:
            raise invalid(f"No signature was found with the name: {name}")
        method = self.definitions[name].method_name
        if method != CLASSIFY:
            raise invalid(f"Expected classification signature method_name to be {CLASSIFY}. Was: {method}")
        if not examples:
            raise invalid("Input is empty.")
        texts = np.empty(len(examples), object)
        texts[:] = list(examples)
        outputs = self.predict(name, {_EXAMPLES: texts})
        return _classes(outputs, len(examples))


def _asked(signature: Signature, inputs: Batch) -> Batch:
    try:
        return signature(inputs)
    except ModelFailedError as error:
        # TensorFlow's own errors have gRPC's codes
        number = getattr(error.__cause__, "error_code", None)
        code = Code(number) if number in set(Code) else Code.INTERNAL
        raise NotAnsweredError(code, str(error)) from error


def _check_names(signature: Signature, inputs: Batch) -> None:
    sent, wanted = set(inputs), set(signature.inputs)
    if sent != wanted:
        extra, missing = (",".join(sorted(each)) for each in (sent - wanted, wanted - sent))
        lists = f"len({{{','.join(sorted(sent))}}}) != len({{{','.join(sorted(wanted))}}})"
        told = f"Sent extra: {{{extra}}}. Missing but required: {{{missing}}}."
        raise invalid(f"input size does not match signature: {len(sent)}!={len(wanted)} {lists}. {told}")


def _check_tensor(name: str, value: npt.NDArray[Any], info: TensorInfo) -> None:
    kind = "string" if value.dtype.kind in "OSU" else value.dtype.name
    if kind != info.dtype:
        raise invalid(f"Expects arg[0] to be {info.dtype} but {kind} is provided: input {name!r}")
    shape = info.shape
    fits = shape is None or (
        len(shape) == value.ndim and all(a in (None, b) for a, b in zip(shape, value.shape, strict=True))
    )
    if not fits:
        raise invalid(f"Input {name!r} must be {info}, and has the shape {list(value.shape)}")


def _classes(outputs: Mapping[str, npt.NDArray[Any]], rows: int) -> list[Classes]:
    classes, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    given = [each for each in (classes, scores) if each is not None]
    if not given or any(each.ndim != 2 or len(each) != rows for each in given):
        shapes = {name: list(each.shape) for name, each in outputs.items()}
        raise invalid(f"Expected classes and scores of the shape [{rows}, classes], and they are {shapes}")
    shape = given[0].shape
    labels = np.full(shape, "") if classes is None else classes
    numbers: npt.NDArray[Any] = np.zeros(shape) if scores is None else scores
    return [
        [(_text(label), float(score)) for label, score in zip(*row, strict=True)]
        for row in zip(labels.tolist(), numbers.tolist(), strict=True)
    ]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
