"""What a signature takes and gives. NumPy only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy.typing as npt

from ..common.errors import MonitorError, nearest
from ..common.image_shapes import shown

STRING = "string"
Batch: TypeAlias = dict[str, npt.NDArray[Any]]
Chosen = TypeVar("Chosen")


class ModelFailedError(MonitorError):
    """A model that cannot be loaded, or that fails on what it is asked."""


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of a signature.

    Attributes:
      shape: with None for a dimension of any size; None altogether where even the rank is unknown.
      dtype: TensorFlow's name for it, which is NumPy's for most numbers.

    """

    shape: tuple[int | None, ...] | None
    dtype: str

    def __str__(self) -> str:
        """As messages show it: `float32 [?, 28, 28, 1]`."""
        if self.shape is None:
            return f"{self.dtype} of unknown rank"
        return f"{self.dtype} {shown(self.shape)}"


class Askable(Protocol):
    """A signature of a loaded model, in this process (`saved_model.Signature`) or in another (`model_process`)."""

    name: str
    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]

    def __call__(self, batch: Mapping[str, Any]) -> Batch:
        """Raises `ModelFailedError` where the model fails on the batch."""
        ...


def signature_named(name: str, signatures: Mapping[str, Chosen]) -> Chosen:
    """Raises `ModelFailedError` for a name that is none of the signatures, listing these."""
    if name not in signatures:
        known = sorted(signatures)
        raise ModelFailedError(f"the model has no signature {name!r}, only {known}{nearest(name, known)}")
    return signatures[name]


def described(tensors: Mapping[str, TensorInfo]) -> str:
    """Inputs or outputs, as messages list them: `dense_1 (float32 [?, 10])`."""
    return ", ".join(f"{name} ({info})" for name, info in sorted(tensors.items())) or "none"
