"""One held-out example: its image, its id, its class; and what becomes of it when a model has answered."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..common.artifacts.tf_example import Values, parse_example
from ..common.canonical_rows import PREDICTED, Value
from ..common.model_spec import ID, IMAGE, LABEL, ModelSpec
from ..served_model.questions import image_in


@dataclass(frozen=True)
class HeldOut:
    """An example as far as it is known before the model is asked.

    Attributes:
      record: the serialised tf.Example.
      image: as it is stored; None where the example has none.
      features: of the canonical row: image, id, label, and of logged examples all that is no answer of a model.
      names: of all features that the example has.
      label: number of its class; None where there is none.
      bad_label: the label that is no class; "" where it is one, or where there is none.

    """

    record: bytes
    image: bytes | None
    features: Mapping[str, Value]
    names: frozenset[str]
    label: int | None = None
    bad_label: str = ""

    def with_record(self, record: bytes) -> "HeldOut":
        """The same, to be asked about with another tf.Example."""
        return dataclasses.replace(self, record=record)


def read_held_out(record: bytes, spec: ModelSpec, made_id: str, *, logged: bool) -> HeldOut:
    """Reads a serialised tf.Example by the names of `spec`.

    Args:
      record: the Example.
      spec: the model's; of a logged example, that of canonical rows.
      made_id: its id where it has none of its own.
      logged: whether it is a canonical row already.

    Raises:
      MonitorError: it is no tf.Example, or its image is no single byte string.

    """
    parsed = parse_example(record)
    image = image_in(parsed, spec.image.feature)
    features: dict[str, Value] = _kept(parsed) if logged else {}
    if image is not None:
        features[IMAGE] = image
    features[ID] = _id(parsed.get(spec.id or "", [])) or made_id.encode()
    label, bad = (None, "") if spec.label is None else _label(parsed.get(spec.label, []), spec)
    if label is not None:
        features[LABEL] = label
    return HeldOut(record, image, features, frozenset(parsed), label, bad)


def _kept(parsed: Mapping[str, Values]) -> dict[str, Value]:
    """What a logged row says of its request."""
    return {name: _value(values) for name, values in parsed.items() if values and name not in PREDICTED}


def _value(values: Values) -> Value:
    return values[0] if len(values) == 1 else np.array(values, np.float32)


def _id(values: Values) -> bytes:
    """The one value of the feature as bytes, a number in decimal; b"" where there is none or there are several."""
    if len(values) != 1:
        return b""
    return values[0] if isinstance(values[0], bytes) else str(values[0]).encode()


def _label(values: Values, spec: ModelSpec) -> tuple[int | None, str]:
    """The number of the class, and what was found where it is none."""
    if not values:
        return None, ""
    number = spec.class_number(values[0]) if len(values) == 1 else None
    if number is not None:
        return number, ""
    shown = values[0].decode("utf-8", "backslashreplace") if isinstance(values[0], bytes) else values[0]
    return None, repr(shown) if len(values) == 1 else f"{len(values)} values"
