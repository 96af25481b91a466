"""What the reader is told about the logs: checked once, when the pipeline is built."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.errors import require
from ..common.model_spec import ModelSpec

SPEC = "spec"
MODEL_VERSION = "model_version"
ONE_EXAMPLE_PER = "one_example_per"
MAX_BROKEN_FRACTION = "max_broken_fraction"
EXAMPLES_INPUT = "examples"  # serialised tf.Examples, as BulkInferrer logs them and signatures for it are written


@dataclass(frozen=True)
class ReadOptions:
    """How logs are read and what is expected of them.

    Attributes:
      spec: the model that was asked: its input, its outputs, its classes.
      model_version: take rows of this version only; 0: of all.
      one_example_per: "example", "image", "request" or "<number>s"; see `Subsampling`.
      max_broken_fraction: proportion of records or images, 0 to 1, above which a problem is an error, not a warning.

    """

    spec: ModelSpec
    model_version: int = 0
    one_example_per: str = "example"
    max_broken_fraction: float = 0.01

    def __post_init__(self) -> None:
        """Raises `MonitorError` when a value breaks a rule."""
        require(isinstance(self.spec, ModelSpec), SPEC, "be a ModelSpec", self.spec)
        version = self.model_version
        rule = "be a version, or 0 for all"
        require(type(version) is int and 0 <= version < 1 << 63, MODEL_VERSION, rule, version)
        Subsampling.parse(self.one_example_per)
        proportion = self.max_broken_fraction
        in_range = isinstance(proportion, int | float) and not isinstance(proportion, bool) and 0 <= proportion < 1
        require(in_range, MAX_BROKEN_FRACTION, "be in [0, 1)", proportion)
        object.__setattr__(self, "max_broken_fraction", float(proportion))

    def to_properties(self) -> dict[str, Any]:
        """As execution properties, scalars and JSON."""
        return {
            SPEC: self.spec.to_json(),
            MODEL_VERSION: self.model_version,
            ONE_EXAMPLE_PER: self.one_example_per,
            MAX_BROKEN_FRACTION: self.max_broken_fraction,
        }

    @staticmethod
    def from_properties(properties: Mapping[str, Any]) -> "ReadOptions":
        """What `to_properties` made, among others. Raises `MonitorError` for a value that breaks a rule."""
        spec = ModelSpec.from_json(properties[SPEC], f"the execution property `{SPEC}`")
        return ReadOptions(
            spec, properties[MODEL_VERSION], properties[ONE_EXAMPLE_PER], properties[MAX_BROKEN_FRACTION]
        )


@dataclass(frozen=True)
class Subsampling:
    """Which rows of correlated traffic are taken: all, one of equal images, one a request, or one in so many seconds.

    Of the rows that compete, the one whose id has the smallest hash is taken: as good as drawn by lot, and the same
    whatever the order of the logs.

    Attributes:
      by_image: one row of each image, byte by byte as rows hold it.
      by_request: one row of each request.
      seconds: one row in each interval of so many seconds since the epoch; 0: all.

    """

    by_image: bool = False
    by_request: bool = False
    seconds: int = 0

    @staticmethod
    def parse(text: str) -> "Subsampling":
        """The meaning of `one_example_per`.

        >>> Subsampling.parse("30s")
        Subsampling(by_image=False, by_request=False, seconds=30)
        """
        if text == "example":
            return Subsampling()
        if text == "image":
            return Subsampling(by_image=True)
        if text == "request":
            return Subsampling(by_request=True)
        number = re.fullmatch(r"([1-9][0-9]{0,8})s", text) if isinstance(text, str) else None
        rule = 'be "example", "image", "request" or a whole number of seconds such as "60s"'
        require(number is not None, ONE_EXAMPLE_PER, rule, text)
        return Subsampling(seconds=int(number[1])) if number else Subsampling()

    @property
    def across_requests(self) -> bool:
        """Whether rows of different requests compete."""
        return self.by_image or self.seconds > 0


def lot(identity: bytes) -> bytes:
    """What rows are drawn by: a hash of the id, the id itself behind it so that no two are equal."""
    return hashlib.blake2b(identity, digest_size=8).digest() + identity
