"""What the reader is told about the logs: checked once, when the pipeline is built."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.errors import require
from ..common.model_spec import ModelSpec
from .subsampling import ONE_EXAMPLE_PER, Subsampling

SPEC = "spec"
MODEL_VERSION = "model_version"
MAX_BROKEN_FRACTION = "max_broken_fraction"
MAX_ROWS = "max_rows"
DEFAULT_MAX_ROWS = 1_000_000
MAX_RECORDS = 1 << 22  # of a file
EXAMPLES_INPUT = "examples"  # serialised tf.Examples, as BulkInferrer logs them and signatures for it are written


@dataclass(frozen=True)
class ReadOptions:
    """How logs are read and what is expected of them.

    Attributes:
      spec: the model that was asked: its input, its outputs, its classes.
      model_version: take rows of this version only; 0: of all.
      one_example_per: "example", "image", "request", "client" or "<number>s"; see `Subsampling`.
      max_broken_fraction: proportion of records or images, 0 to 1, above which a problem is an error, not a warning.
      max_rows: the most rows that a span may have; what is beyond it, in the order of files and records, is left out.

    """

    spec: ModelSpec
    model_version: int = 0
    one_example_per: str = "example"
    max_broken_fraction: float = 0.01
    max_rows: int = DEFAULT_MAX_ROWS

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
        rows = self.max_rows
        require(type(rows) is int and 0 < rows < 1 << 63, MAX_ROWS, "be a whole number from 1", rows)
        object.__setattr__(self, "max_broken_fraction", float(proportion))

    def to_properties(self) -> dict[str, Any]:
        """As execution properties, scalars and JSON."""
        return {
            SPEC: self.spec.to_json(),
            MODEL_VERSION: self.model_version,
            ONE_EXAMPLE_PER: self.one_example_per,
            MAX_BROKEN_FRACTION: self.max_broken_fraction,
            MAX_ROWS: self.max_rows,
        }

    @staticmethod
    def from_properties(properties: Mapping[str, Any]) -> "ReadOptions":
        """What `to_properties` made, among others. Raises `MonitorError` for a value that breaks a rule."""
        spec = ModelSpec.from_json(properties[SPEC], f"the execution property `{SPEC}`")
        names = (MODEL_VERSION, ONE_EXAMPLE_PER, MAX_BROKEN_FRACTION, MAX_ROWS)
        return ReadOptions(spec, *(properties[name] for name in names))
