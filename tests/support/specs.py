"""Specs of made-up models for tests: images as `image`, probabilities as `probabilities`, unless told otherwise."""

from collections.abc import Sequence
from typing import Any

from components.common.image_spec import ImageSpec
from components.common.model_spec import ModelSpec


def image_spec(shape: Sequence[int] = (32, 32, 3), **keys: Any) -> ImageSpec:
    """Raw images of (height, width, channels); any key of `image` may be another."""
    height, width, channels = shape
    usual = {"feature": "image", "format": "raw", "channels": channels, "size": [height, width], "input": "image"}
    return ImageSpec.from_record(usual | keys)


def model_spec(
    shape: Sequence[int] = (32, 32, 3),
    classes: int | Sequence[str] = 10,
    *,
    image: dict[str, Any] | None = None,
    **outputs: Any,
) -> ModelSpec:
    """A model of so many classes, or of those named. `image` are other keys of its images, `outputs` of its outputs."""
    names = [f"class {number}" for number in range(classes)] if isinstance(classes, int) else list(classes)
    record = {
        "image": image_spec(shape, **(image or {})).to_record(),
        "label": "label",
        "id": "id",
        "classes": names,
        "outputs": {"scores": "probabilities", "kind": "probabilities"} | outputs,
    }
    return ModelSpec.from_record(record)
