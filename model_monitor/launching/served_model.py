"""A served model as `init` looks at it and tries it out. Imports TensorFlow."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported

from components.served_model.saved_model import SavedModel
from components.served_model.tensors import TensorInfo

from ..onboarding.described import Signature, Tensor


class ServedModel:
    """A loaded SavedModel. Raises `MonitorError` where the folder holds none that can be loaded."""

    def __init__(self, folder: Path) -> None:
        self._model = SavedModel(str(folder))

    @property
    def signatures(self) -> tuple[Signature, ...]:
        return tuple(
            Signature(name, _tensors(each.inputs), _tensors(each.outputs))
            for name, each in sorted(self._model.signatures.items())
        )

    def call(self, signature: str, values: Any) -> dict[str, npt.NDArray[Any]]:
        """Every output for one batch, numbers or strings. Raises `MonitorError` where the model refuses it."""
        function = self._model.signature(signature)
        return function(dict.fromkeys(function.inputs, values))


def _tensors(infos: Mapping[str, TensorInfo]) -> tuple[Tensor, ...]:
    return tuple(Tensor(name, info) for name, info in sorted(infos.items()))
