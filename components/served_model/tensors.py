"""What a signature takes and gives. NumPy only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy.typing as npt

from ..common.image_shapes import shown

STRING = "string"
Batch: TypeAlias = dict[str, npt.NDArray[Any]]


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


def described(tensors: Mapping[str, TensorInfo]) -> str:
    """Inputs or outputs, as messages list them: `dense_1 (float32 [?, 10])`."""
    return ", ".join(f"{name} ({info})" for name, info in sorted(tensors.items())) or "none"
