"""What a model takes and answers, as a server tells it: the tensors of each signature, from its metadata in JSON."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.common.errors import MonitorError, nearest
from components.common.model_spec import ModelSpec
from components.common.strict_text import parse_json
from components.served_model.tensors import STRING, TensorInfo

from .calls import number_of

DEFAULT_SIGNATURE = "serving_default"
# Those of tensorflow/core/framework/types.proto that have another name in NumPy.
_NAMES = {"float": "float32", "double": "float64", "half": "float16"}
_PATTERN = re.compile("DT_([A-Z0-9_]+)")


@dataclass(frozen=True)
class Signature:
    """One signature: its name, and its inputs and outputs by theirs."""

    name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


@dataclass(frozen=True)
class ModelSignatures:
    """The signatures of a model by name, and which version of it they are of; None: nobody said."""

    signatures: Mapping[str, Signature]
    version: int | None = None

    def named(self, name: str) -> Signature:
        """The signature of a name, the usual one for "".

        Raises:
          MonitorError: there is none; the message lists those that there are.

        """
        wanted = name or DEFAULT_SIGNATURE
        if wanted not in self.signatures:
            known = sorted(self.signatures)
            told = f"only {known}{nearest(wanted, known)}" if known else "nor does a spec say the names of its tensors"
            raise MonitorError(f"The server told of no signature {wanted!r} of the model, {told}")
        return self.signatures[wanted]

    @staticmethod
    def from_json(text: str | bytes) -> "ModelSignatures":
        """Reads the answer to `GET /v1/models/<name>/metadata`.

        Raises:
          MonitorError: it is none.

        """
        try:
            record = parse_json(text)
            found = record["metadata"]["signature_def"]["signature_def"]
            signatures = {
                str(name): Signature(str(name), _tensors(each.get("inputs")), _tensors(each.get("outputs")))
                for name, each in found.items()
            }
            return ModelSignatures(signatures, number_of(str(record["model_spec"].get("version", ""))))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise MonitorError(
                f"A model's metadata must be as TensorFlow Serving has them. Received: {error}"
            ) from error

    @staticmethod
    def of_spec(spec: ModelSpec) -> "ModelSignatures":
        """What a model's spec says of the signature that servers call; its other outputs than those are not known."""
        inputs = {spec.input: TensorInfo(None, spec.image.dtype or "")}
        names = (spec.outputs.scores, spec.outputs.embedding, spec.outputs.class_id)
        outputs = {name: TensorInfo(None, "") for name in names if name}
        signature = Signature(spec.signatures.serve, inputs, outputs)
        return ModelSignatures(dict.fromkeys((signature.name, DEFAULT_SIGNATURE), signature))


def _tensors(record: Any) -> dict[str, TensorInfo]:
    return {str(name): _info(each) for name, each in (record or {}).items()}


def _info(record: Mapping[str, Any]) -> TensorInfo:
    found = _PATTERN.fullmatch(record["dtype"])
    kind = found[1].lower() if found else ""
    return TensorInfo(_shape(record.get("tensor_shape") or {}), STRING if kind == STRING else _NAMES.get(kind, kind))


def _shape(record: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    if record.get("unknown_rank"):
        return None
    sizes = [int(each["size"]) for each in record.get("dim") or ()]
    return tuple(None if size < 0 else size for size in sizes)
