"""`Cifar10ExampleGen`: CIFAR-10 binary files -> Examples."""

import re

from tfx.components.example_gen import component, utils
from tfx.dsl.components.base import executor_spec
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2, range_config_pb2

from ..common.errors import MonitorError, require
from ..common.plain_paths import require_plain
from . import executor

# Of the canonical file names, gzipped or not.
_DEFAULT_PATTERNS = {"train": "data_batch_*", "eval": "test_batch*"}


class Cifar10ExampleGen(component.FileBasedExampleGen):
    """Reads files in CIFAR-10's binary format, plain (`.bin`) or gzipped (`.bin.gz`), into tf.Examples.

    Each example has `image` (3,072 bytes: 32 x 32 x 3, row-major, uint8), `label` (int64, 0 to 9) and `id` (bytes: file
    name and record number, such as `data_batch_1.bin:17`).

    The training files become the split `train`, the test file the split `eval`. Any other splits can be given as
    patterns under `input_base`, in which `{SPAN}`, `{VERSION}` and dates mean what they do in all of TFX:

        Cifar10ExampleGen("windows", input_config=example_gen_pb2.Input(splits=[
            example_gen_pb2.Input.Split(name="serving", pattern="span-{SPAN}/*.bin")]),
            output_config=example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=[
                example_gen_pb2.SplitConfig.Split(name="serving", hash_buckets=1)])))

    Component `outputs` contains:
      - `examples`: Channel of type `standard_artifacts.Examples`.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        input_base: str | data_types.RuntimeParameter,
        input_config: example_gen_pb2.Input | data_types.RuntimeParameter | None = None,
        output_config: example_gen_pb2.Output | data_types.RuntimeParameter | None = None,
        range_config: range_config_pb2.RangeConfig | data_types.RuntimeParameter | None = None,
    ) -> None:
        """Checks what can be checked before the pipeline runs.

        Args:
          input_base: folder with the files, on any file system that TFX can read.
          input_config: splits and their patterns below `input_base`; `train` and `eval` by default. As in every
            ExampleGen, a single split is divided into `train` and `eval`, 2 to 1, unless `output_config` says how.
          output_config: how to divide a single input split.
          range_config: which span to take; the latest by default. Needs a pattern with `{SPAN}` or a date.

        Raises:
          MonitorError: a missing or repeated name or pattern, a `{SPAN}` in some patterns only or out of place, a
            division of more than one split, or a `range_config` without a pattern it could apply to.

        """
        named = isinstance(input_base, data_types.RuntimeParameter) or (
            isinstance(input_base, str) and input_base != ""
        )
        require(named, "input_base", "be the path of a folder, as text", input_base)
        if isinstance(input_base, str):
            require_plain(input_base, "input_base")
        input_config = input_config or _default_input()
        if isinstance(input_config, example_gen_pb2.Input):
            _check_splits(input_config, output_config)
            _check_spans(input_config, range_config)
        super().__init__(
            input_base=input_base, input_config=input_config, output_config=output_config, range_config=range_config
        )


def _default_input() -> example_gen_pb2.Input:
    splits = [example_gen_pb2.Input.Split(name=name, pattern=pattern) for name, pattern in _DEFAULT_PATTERNS.items()]
    return example_gen_pb2.Input(splits=splits)


def _check_splits(
    input_config: example_gen_pb2.Input, output_config: example_gen_pb2.Output | data_types.RuntimeParameter | None
) -> None:
    names = [split.name for split in input_config.splits]
    require(bool(names), "input_config.splits", "have at least one split", names)
    require(len(set(names)) == len(names), "input_config.splits", "have different names", names)
    for split in input_config.splits:
        what = f"input_config.splits[{names.index(split.name)}]"
        require(bool(re.fullmatch(r"[\w.-]+", split.name)), f"{what}.name", "be letters, digits, _ . -", split.name)
        require(bool(split.pattern), f"{what}.pattern", "be a file pattern below input_base", split.pattern)
    if isinstance(output_config, example_gen_pb2.Output) and output_config.split_config.splits:
        rule = "have exactly one split where output_config divides it"
        require(len(names) == 1, "input_config.splits", rule, names)


def _check_spans(
    input_config: example_gen_pb2.Input, range_config: range_config_pb2.RangeConfig | data_types.RuntimeParameter | None
) -> None:
    """Applies the stock driver's rules now rather than when the component runs."""
    specs = {}
    for split in input_config.splits:
        try:
            specs[split.pattern] = utils.verify_split_pattern_specs(split)
        except ValueError as error:
            raise MonitorError(f"`input_config.splits`, {split.name!r}: {error}") from error
    rule = "use {SPAN}, {VERSION} and dates all alike"
    require(len(set(specs.values())) == 1, "input_config.splits patterns", rule, list(specs))
    if range_config is not None:
        has_span, has_date, _ = next(iter(specs.values()))
        require(has_span or has_date, "input_config.splits patterns", "have a {SPAN} for range_config", list(specs))
