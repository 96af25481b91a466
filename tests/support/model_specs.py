"""Specs of models that are not CIFAR-10's, for tests."""

from typing import Any

from components.common.model_spec import ModelSpec

_DIGITS = {
    "image": {"feature": "image/encoded", "format": "png", "channels": 1, "size": [28, 28], "input": "input_image",
              "range": [0, 1]},
    "label": "image/class/label",
    "id": "image/id",
    "classes": [str(number) for number in range(10)],
    "outputs": {"scores": "dense_1", "kind": "probabilities"},
}  # fmt: skip


def digits_spec(**changes: Any) -> ModelSpec:
    """The spec of a model of grey digits; changes replace single keys of a section, or what is no section."""
    record: dict[str, Any] = {**_DIGITS}
    for key, value in changes.items():
        merged = {**record.get(key, {}), **value} if isinstance(value, dict) else value
        record[key] = {k: v for k, v in merged.items() if v is not None} if isinstance(merged, dict) else merged
    return ModelSpec.from_record(record)
