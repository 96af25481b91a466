"""The one description of a served image classifier: its images, labels, classes, outputs and signatures.

Written as a small YAML file (docs/model_spec.md has every key), read by every component and command, carried as JSON
in execution properties and in the baseline bundle. Imports neither TFX nor TensorFlow.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, SerializerFunctionWrapHandler, ValidationInfo, model_serializer
from pydantic import field_validator as validates

from . import class_names
from .class_scores import Kind
from .image_spec import ImageSpec, Name, OneName, one_section, refuse
from .settings import Described, read_yaml, without_usual

__all__ = [
    "CLASS_ID",
    "CONFIDENCE",
    "EMBEDDING",
    "ID",
    "IMAGE",
    "LABEL",
    "PROBABILITIES",
    "ImageSpec",
    "ModelSpec",
    "OutputSpec",
    "SignatureSpec",
]

# The features of canonical rows, which ServingLogExampleGen and HeldOutScorer write whatever a model's own names are.
IMAGE = "image"
LABEL = "label"
ID = "id"
PROBABILITIES = "probabilities"
EMBEDDING = "embedding"
CLASS_ID = "class_id"
CONFIDENCE = "confidence"


def _classes(value: Any) -> Any:
    broken = class_names.broken_rule(value)
    if broken:
        refuse(broken)
    return tuple(value)


def _counted_from(value: Any) -> Any:
    if type(value) is not int or value not in (0, 1):
        refuse("be 0, or 1 where classes are counted from 1")
    return value


def _labels_from(value: Any) -> Any:
    if type(value) is not int or value not in (-1, 0, 1):
        rule = "be 0, 1 where labels are counted from 1, or -1 where the first score is of a background"
        refuse(f"{rule} that labels leave out")
    return value


class OutputSpec(Described):
    """What the served model answers.

    Attributes:
      scores: name of the output with a score for each class, or one sigmoid.
      kind: what the scores are, see `class_scores`.
      embedding: name of an output [batch, D] that describes the image; None: there is none.
      class_id: name of an output with the number of the class; None: it is that of the largest score.
      class_id_from: the number that this output, and Classify responses, give to the first class: 0 or 1.

    """

    scores: OneName
    kind: Literal["probabilities", "logits", "sigmoid"]
    embedding: Name | None = None
    class_id: Name | None = None
    class_id_from: Annotated[int, BeforeValidator(_counted_from)] = 0

    @model_serializer(mode="wrap")
    def _short(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_usual(serialize(self), "class_id_from")

    @validates("embedding", "class_id", mode="after")
    @classmethod
    def _other_output(cls, name: str | None, info: ValidationInfo) -> str | None:
        _refuse_taken(name, {key: info.data.get(key) for key in ("scores", "embedding") if key != info.field_name})
        return name


class SignatureSpec(Described):
    """Which signatures of the SavedModel are called.

    Attributes:
      serve: the one that servers call; it takes `image.input`.
      examples: one that takes serialised tf.Examples; None: there is none.

    """

    serve: Name = "serving_default"
    examples: Name | None = None


class ModelSpec(Described):
    """A served image classifier.

    Attributes:
      image: its images.
      label: feature of held-out examples with the class, its number or its name; None: there are no labels.
      labels_from: the number that labels, those of a labels file too, give to the first class: 0, or 1 where they are
        counted from 1; -1 where the first score is of a background that labels leave out.
      id: feature of examples that tells them apart; None: there is none.
      classes: the names of the classes, in the order of the scores.
      outputs: what it answers.
      signatures: what is called.

    """

    image: Annotated[ImageSpec, BeforeValidator(one_section)]
    label: Name | None = None
    labels_from: Annotated[int, BeforeValidator(_labels_from)] = 0
    id: Name | None = None
    classes: Annotated[tuple[str, ...], BeforeValidator(_classes)]
    outputs: Annotated[OutputSpec, BeforeValidator(one_section)]
    signatures: SignatureSpec = SignatureSpec()

    @model_serializer(mode="wrap")
    def _short(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_usual(serialize(self), "labels_from")

    @validates("image", mode="after")
    @classmethod
    def _input_of_model(cls, image: ImageSpec) -> ImageSpec:
        if image.input is None:
            refuse("have the key `input`, the name of the input that the served model takes images by")
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
            refuse(f"not be of `kind: sigmoid` for {len(classes)} classes: a sigmoid chooses between exactly two")
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
            record["classes"] = class_names.read_names(file.parent / record["classes"], str(file))
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

    def class_number(self, label: object) -> int | None:
        """The number of the class that a label means, by its name or its number; None: it is no class."""
        return self.labels.number(label)

    @property
    def labels(self) -> class_names.Labels:
        """Which class a label of Examples or of a labels file means."""
        return class_names.labels_of(self.classes, self.labels_from)

    @property
    def answers(self) -> class_names.Labels:
        """Which class the model means by a number or a name."""
        return class_names.labels_of(self.classes, self.outputs.class_id_from)

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
            refuse(f"differ from `{key}`, which has that name already")
