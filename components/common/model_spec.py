"""The one description of a served image classifier: its images, labels, classes, outputs and signatures.

Written as a small YAML file (docs/model_spec.md has every key), read by every component and command, carried as JSON
in execution properties and in the baseline bundle. Imports neither TFX nor TensorFlow.
"""

import json
import os
import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeAlias, TypeVar

import yaml
from pydantic import BeforeValidator, ConfigDict, PlainSerializer, ValidationError, ValidationInfo
from pydantic import field_validator as validates

from ..validation import MonitorError, require
from . import pixel_range
from .class_scores import Kind
from .pixel_range import PixelRange, Scale
from .settings import Section, explain, read_yaml, shown

# The features of canonical rows, which ServingLogExampleGen and HeldOutScorer write whatever a model's own names are.
IMAGE = "image"
LABEL = "label"
ID = "id"
PROBABILITIES = "probabilities"
EMBEDDING = "embedding"
CLASS_ID = "class_id"
CONFIDENCE = "confidence"

MAX_CLASSES = 100_000
_LONGEST_NAME = 1_000  # characters
_LARGEST_SIDE = 65_535  # pixels, which is JPEG's own limit
_FILE_FORMATS = ("encoded", "jpeg", "png")
_ONE_OF_EACH = (
    "be one name: what is monitored is one image classifier, which has one image input and one output of scores"
)
_INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
Dtype: TypeAlias = Literal[
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
    "float16", "bfloat16", "float32", "float64", "string",
]  # fmt: skip
STRING = "string"


def _refuse(rule: str) -> NoReturn:
    raise ValueError(f"must {rule}")


def _name(value: Any) -> Any:
    """A name of a feature, an output, a signature or a class, in any script."""
    if isinstance(value, list | tuple | dict):
        _refuse(_ONE_OF_EACH)
    if not isinstance(value, str):
        _refuse("be a name; put numbers and words such as yes, no and null in quotes")
    broken = _broken_rule_of_name(value)
    if broken:
        _refuse(broken)
    return value


def _broken_rule_of_name(name: str) -> str:
    if not name.strip():
        return "not be blank"
    if name != name.strip():
        return "not begin or end with a blank"
    if len(name) > _LONGEST_NAME:
        return f"be {_LONGEST_NAME} characters or fewer"
    control = any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name)
    return "be one line of text without control characters" if control else ""


def _format(value: Any) -> Any:
    if value not in ("raw", *_FILE_FORMATS):
        _refuse("be raw, encoded, jpeg or png (the last three mean the same)")
    return "encoded" if value in _FILE_FORMATS else value


def _channels(value: Any) -> Any:
    if type(value) is not int or value not in (1, 3):
        _refuse("be 1 (grey) or 3 (red, green, blue)")
    return value


def _size(value: Any) -> Any:
    pair = isinstance(value, list | tuple) and len(value) == 2
    if not pair or not all(type(each) is int and 1 <= each <= _LARGEST_SIDE for each in value):
        _refuse(f"be [height, width], whole numbers from 1 to {_LARGEST_SIDE}, or left out for images of any size")
    return tuple(value)


def _range(value: Any) -> Any:
    if isinstance(value, PixelRange):
        return value
    broken = pixel_range.broken_rule(value)
    if broken:
        _refuse(broken)
    return PixelRange.from_setting(value)


def _means(value: Any) -> Any:
    triple = isinstance(value, list | tuple) and len(value) == 3
    if not triple or not all(type(each) in (int, float) and 0 <= each <= 255 for each in value):
        _refuse("be the means of red, green and blue, 0 to 255")
    return tuple(float(each) for each in value)


def _classes(value: Any) -> Any:
    if isinstance(value, str):
        _refuse("be a list here; a file of class names is for YAML files")
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= MAX_CLASSES:
        count = f", not {len(value):,}" if isinstance(value, list | tuple) else ""
        _refuse(f"be from 2 to {MAX_CLASSES:,} class names, or a file with one a line{count}")
    seen: dict[str, int] = {}
    for number, name in enumerate(value):
        try:
            _name(name)
        except ValueError as error:
            raise ValueError(f"must hold good names, and class {number} {error}: {name!r}") from None
        # two ways to write é are two strings that no one can tell apart
        first = seen.setdefault(unicodedata.normalize("NFC", name), number)
        if first != number:
            _refuse(f"differ from each other, and class {number} is class {first} again: {name!r}")
    return tuple(value)


def _one_section(value: Any) -> Any:
    if isinstance(value, list | tuple):
        _refuse(_ONE_OF_EACH.replace("one name", "one section", 1))
    return value


Name: TypeAlias = Annotated[str, BeforeValidator(_name)]
_Made = TypeVar("_Made", bound="_Described")


class _Described(Section):
    """What travels as JSON and is written as YAML."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    def to_json(self) -> str:
        """One line of JSON, the same for equal specs."""
        return json.dumps(self.to_record(), ensure_ascii=False)

    def to_record(self) -> dict[str, Any]:
        """Strings, numbers, lists and dictionaries, without the keys that are null."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_yaml(self) -> str:
        """A file for people, which `load` reads: a section a key, without the keys that are null."""
        return yaml.safe_dump(self.to_record(), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)

    @classmethod
    def from_json(cls: type[_Made], text: str, source: str = "the model spec") -> _Made:
        """Reads what `to_json` wrote.

        Args:
          text: the JSON.
          source: where it comes from, for messages.

        Raises:
          MonitorError: naming `source`, key, rule and what was received.

        """
        try:
            record = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise MonitorError(f"{source} must be JSON ({error}). Received: {shown(text)}") from error
        return cls.from_record(record, source)

    @classmethod
    def from_record(cls: type[_Made], record: Any, source: str = "the model spec") -> _Made:
        """Checks keys and values, such as `to_record` gives. Raises `MonitorError` as `from_json`."""
        require(isinstance(record, dict), source, "be keys and values", record)
        try:
            return cls.model_validate(record)
        except ValidationError as error:
            raise MonitorError(explain(cls, error, lambda _: source)) from None


class ImageSpec(_Described):
    """How images are stored, and what the served model takes for one. Usable alone, for statistics without a model.

    Attributes:
      feature: the feature of tf.Examples that holds the image.
      format: "raw", uint8 values in row-major order (height, width, channel), or "encoded", a PNG or JPEG file.
      channels: 1 (grey) or 3 (red, green, blue).
      size: (height, width) of every image; None: images of any size.
      input: name of the input of the served signature.
      range: what a numeric input takes for pixels 0..255; of a string input it is 0..255 and says nothing.
      dtype: type of the input; "string": image files or serialised tf.Examples. None: told from signature or log.
      channel_means: mean red, green and blue, 0 to 255, of images in the right order; None: the order is not checked.

    """

    feature: Name
    format: Annotated[Literal["raw", "encoded"], BeforeValidator(_format)]
    channels: Annotated[Literal[1, 3], BeforeValidator(_channels)]
    size: Annotated[tuple[int, int], BeforeValidator(_size)] | None = None
    input: Name | None = None
    dtype: Dtype | None = None
    range: Annotated[PixelRange, BeforeValidator(_range), PlainSerializer(lambda pixels: pixels.to_setting())] = (
        PixelRange()
    )
    channel_means: Annotated[tuple[float, float, float], BeforeValidator(_means)] | None = None

    @validates("size", mode="after")
    @classmethod
    def _size_of_raw(cls, size: tuple[int, int] | None, info: ValidationInfo) -> tuple[int, int] | None:
        if size is None and info.data.get("format") == "raw":
            _refuse("be given where `format` is raw: bytes do not say how high and wide an image is")
        return size

    @validates("range", mode="after")
    @classmethod
    def _range_of_type(cls, pixels: PixelRange, info: ValidationInfo) -> PixelRange:
        channels, dtype = info.data.get("channels"), info.data.get("dtype")
        if channels is not None and pixels.channels not in (None, channels):
            _refuse(f"have one mean and std, or one for each channel, of which there is {channels}")
        if dtype == STRING and pixels.scale is not Scale.BYTES:
            _refuse("be left out where `dtype` is string: such an input takes image files, not numbers")
        if dtype in _INTEGERS:
            bits = int(dtype.removeprefix("uint").removeprefix("int"))
            low, high = (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
            if pixels.mean or not (low <= pixels.low[0] and pixels.high[0] <= high):
                _refuse(f"be [low, high] within {low}..{high} where `dtype` is {dtype}")
            if pixels.high[0] - pixels.low[0] < 255:
                _refuse(f"have 256 whole numbers where `dtype` is {dtype}")
        return pixels

    @validates("channel_means", mode="after")
    @classmethod
    def _means_of_colours(cls, means: Any, info: ValidationInfo) -> Any:
        if means is not None and info.data.get("channels") == 1:
            _refuse("be left out for grey images")
        return means

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """(height, width, channels), or None for images of any size."""
        return None if self.size is None else (*self.size, self.channels)

    @property
    def sizes_vary(self) -> bool:
        """Whether images may be of any size, so that their size is one of their properties."""
        return self.size is None


class OutputSpec(_Described):
    """What the served model answers.

    Attributes:
      scores: name of the output with a score for each class, or one sigmoid.
      kind: what the scores are, see `class_scores`.
      embedding: name of an output [batch, D] that describes the image; None: there is none.
      class_id: name of an output with the number of the class; None: it is that of the largest score.

    """

    scores: Name
    kind: Literal["probabilities", "logits", "sigmoid"]
    embedding: Name | None = None
    class_id: Name | None = None

    @validates("embedding", "class_id", mode="after")
    @classmethod
    def _other_output(cls, name: str | None, info: ValidationInfo) -> str | None:
        _refuse_taken(name, {key: info.data.get(key) for key in ("scores", "embedding") if key != info.field_name})
        return name


class SignatureSpec(_Described):
    """Which signatures of the SavedModel are called.

    Attributes:
      serve: the one that servers call; it takes `image.input`.
      examples: one that takes serialised tf.Examples; None: there is none.

    """

    serve: Name = "serving_default"
    examples: Name | None = None


class ModelSpec(_Described):
    """A served image classifier.

    Attributes:
      image: its images.
      label: feature of held-out examples with the class, its number or its name; None: there are no labels.
      id: feature of examples that tells them apart; None: there is none.
      classes: the names of the classes, in the order of the scores.
      outputs: what it answers.
      signatures: what is called.

    """

    image: Annotated[ImageSpec, BeforeValidator(_one_section)]
    label: Name | None = None
    id: Name | None = None
    classes: Annotated[tuple[str, ...], BeforeValidator(_classes)]
    outputs: Annotated[OutputSpec, BeforeValidator(_one_section)]
    signatures: SignatureSpec = SignatureSpec()

    @validates("image", mode="after")
    @classmethod
    def _input_of_model(cls, image: ImageSpec) -> ImageSpec:
        if image.input is None:
            _refuse("have the key `input`, the name of the input that the served model takes images by")
        return image

    @validates("label", "id", mode="after")
    @classmethod
    def _other_feature(cls, name: str | None, info: ValidationInfo) -> str | None:
        image = info.data.get("image")
        others = {"image.feature": image and image.feature, "label": info.data.get("label")}
        _refuse_taken(name, {key: other for key, other in others.items() if key != info.field_name})
        return name

    @validates("outputs", mode="after")
    @classmethod
    def _classes_of_kind(cls, outputs: OutputSpec, info: ValidationInfo) -> OutputSpec:
        classes = info.data.get("classes", ())
        if outputs.kind == Kind.SIGMOID.value and len(classes) not in (0, 2):
            _refuse(f"not be of `kind: sigmoid` for {len(classes)} classes: a sigmoid chooses between exactly two")
        return outputs

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "ModelSpec":
        """The spec in a YAML file; `classes` may name a text file in UTF-8, one class a line, relative to it.

        Raises:
          MonitorError: naming the file, the key, the rule and what was received, a line for each error.

        """
        file = Path(path)
        record = read_yaml(file, "spec")
        if isinstance(record.get("classes"), str):
            record["classes"] = _class_file(file.parent / record["classes"], file)
        return cls.from_record(record, str(file))

    @property
    def input(self) -> str:
        """Name of the input of the served signature that takes images."""
        return self.image.input or ""

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        """(height, width, channels) of every image, or None for images of any size."""
        return self.image.shape

    @property
    def sizes_vary(self) -> bool:
        """Whether images may be of any size."""
        return self.image.sizes_vary

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def rows(self) -> "ModelSpec":
        """The spec of canonical rows, which are the same for every model: see `IMAGE` and the names beside it.

        Images stay raw or encoded, in pixels 0..255. Scores have become probabilities.
        """
        image = ImageSpec(
            feature=IMAGE,
            format=self.image.format,
            channels=self.image.channels,
            size=self.image.size,
            input=self.image.input,
            channel_means=self.image.channel_means,
        )
        embedding = None if self.outputs.embedding is None else EMBEDDING
        return ModelSpec(
            image=image,
            label=None if self.label is None else LABEL,
            id=ID,
            classes=self.classes,
            outputs=OutputSpec(scores=PROBABILITIES, kind="probabilities", embedding=embedding, class_id=CLASS_ID),
            signatures=self.signatures,
        )


def _refuse_taken(name: str | None, others: dict[str, str | None]) -> None:
    for key, other in others.items():
        if name is not None and name == other:
            _refuse(f"differ from `{key}`, which has that name already")


def _class_file(path: Path, spec: Path) -> list[str]:
    """The lines of a file of class names, without blanks at their ends and without blank lines at the end."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise MonitorError(
            f"{spec}: `classes` must be a list of names, or a readable text file in UTF-8 with one a line. "
            f"Received: {str(path)!r} ({error})"
        ) from error
    names = [line.strip() for line in lines]
    while names and not names[-1]:
        names.pop()
    return names
