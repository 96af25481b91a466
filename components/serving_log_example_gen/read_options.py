"""What the reader is told about the logs: checked once, when the pipeline is built."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields

from ..common.errors import require, require_known
from .tensor_decoding import NUMERIC_DTYPES

OUTPUT_NAMES = {"probabilities": "probabilities", "embedding": "embedding", "class_id": "class_id"}
EXAMPLES_INPUT = "examples"  # serialised tf.Examples, as BulkInferrer logs them and signatures for it are written


@dataclass(frozen=True)
class ReadOptions:
    """How logs are read and what is expected of them.

    Attributes:
      image_key: name of the input of Predict requests, and of the feature of tf.Examples, that holds the image.
      image_shape: (height, width, channels) of every image, channels 1 or 3.
      image_dtype: type of the numbers in that input; encoded images and bytes features are always uint8.
      outputs: names of the model's outputs; see `OUTPUT_NAMES`.
      channel_means: mean red, green and blue, 0 to 255, of images in the right order; empty: that is not checked.
      model_version: take rows of this version only; 0: of all.
      one_example_per: "example", "image", "request" or "<number>s"; see `Thinning`.
      max_broken_fraction: share of records or images, 0 to 1, from which on a problem is an error, not a warning.

    """

    image_key: str = "image"
    image_shape: tuple[int, int, int] = (32, 32, 3)
    image_dtype: str = "uint8"
    outputs: Mapping[str, str] = field(default_factory=lambda: dict(OUTPUT_NAMES))
    channel_means: tuple[float, ...] = ()
    model_version: int = 0
    one_example_per: str = "example"
    max_broken_fraction: float = 0.01

    def __post_init__(self) -> None:
        """Raises `MonitorError` when a value breaks a rule."""
        require(isinstance(self.image_key, str) and self.image_key != "", "image_key", "be a name", self.image_key)
        rule = "be (height, width, channels), positive integers, channels 1 (grey) or 3 (red, green, blue)"
        require(_is_image_shape(self.image_shape), "image_shape", rule, self.image_shape)
        object.__setattr__(self, "image_shape", tuple(self.image_shape))
        require_known(self.image_dtype, NUMERIC_DTYPES, "image_dtype")
        self._check_outputs()
        self._check_channel_means()
        version = self.model_version
        rule = "be a version, or 0 for all"
        require(type(version) is int and 0 <= version < 1 << 63, "model_version", rule, version)
        Thinning.parse(self.one_example_per)
        share = self.max_broken_fraction
        in_range = isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share < 1
        require(in_range, "max_broken_fraction", "be in [0, 1)", share)
        object.__setattr__(self, "max_broken_fraction", float(share))

    def _check_outputs(self) -> None:
        require(isinstance(self.outputs, Mapping), "outputs", "map outputs to names", self.outputs)
        for key, name in self.outputs.items():
            require_known(key, OUTPUT_NAMES, "outputs")
            require(isinstance(name, str) and name != "", f"outputs[{key!r}]", "be an output's name", name)
        object.__setattr__(self, "outputs", {**OUTPUT_NAMES, **self.outputs})

    def _check_channel_means(self) -> None:
        means = self.channel_means
        rule = "be the means of red, green and blue, 0 to 255, or empty"
        sequence = isinstance(means, Sequence) and not isinstance(means, str) and len(means) in (0, 3)
        require(sequence and all(_is_pixel_mean(mean) for mean in means), "channel_means", rule, means)
        require(not means or self.image_shape[2] == 3, "channel_means", "be empty for grey images", means)
        object.__setattr__(self, "channel_means", tuple(float(mean) for mean in means))

    @property
    def values_per_image(self) -> int:
        return math.prod(self.image_shape)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "ReadOptions":
        """Raises `MonitorError` for a name that is no option, or a value that breaks a rule."""
        values = json.loads(text)
        require(isinstance(values, dict), "read options", "be a JSON object", values)
        for name in values:
            require_known(name, [option.name for option in fields(ReadOptions)], "read options")
        return ReadOptions(**values)


@dataclass(frozen=True)
class Thinning:
    """Which rows of correlated traffic are taken: all, one of equal images, one a request, or one in so many seconds.

    Of the rows that compete, the one whose id has the smallest hash is taken: as good as drawn by lot, and the same
    whatever the order of the logs.

    Attributes:
      by_image: one row of each image, pixel by pixel.
      by_request: one row of each request.
      seconds: one row in each interval of so many seconds since the epoch; 0: all.

    """

    by_image: bool = False
    by_request: bool = False
    seconds: int = 0

    @staticmethod
    def parse(text: str) -> "Thinning":
        """The meaning of `one_example_per`.

        >>> Thinning.parse("30s")
        Thinning(by_image=False, by_request=False, seconds=30)
        """
        if text == "example":
            return Thinning()
        if text == "image":
            return Thinning(by_image=True)
        if text == "request":
            return Thinning(by_request=True)
        number = re.fullmatch(r"([1-9][0-9]{0,8})s", text) if isinstance(text, str) else None
        rule = 'be "example", "image", "request" or a whole number of seconds such as "60s"'
        require(number is not None, "one_example_per", rule, text)
        return Thinning(seconds=int(number[1])) if number else Thinning()

    @property
    def across_requests(self) -> bool:
        """Whether rows of different requests compete."""
        return self.by_image or self.seconds > 0


def lot(identity: bytes) -> bytes:
    """What rows are drawn by: a hash of the id, the id itself behind it so that no two are equal."""
    return hashlib.blake2b(identity, digest_size=8).digest() + identity


def _is_image_shape(shape: object) -> bool:
    return (
        isinstance(shape, list | tuple)
        and len(shape) == 3
        and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in shape)
        and shape[2] in (1, 3)
    )


def _is_pixel_mean(mean: object) -> bool:
    return isinstance(mean, int | float) and not isinstance(mean, bool) and 0 <= mean <= 255
