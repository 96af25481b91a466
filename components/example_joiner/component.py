"""`ExampleJoiner`: the Examples of several windows -> one Examples."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common.errors import require
from . import executor


class ExampleJoinerSpec(ComponentSpec):
    """Examples in, examples out."""

    PARAMETERS = {executor.SPLIT_KEY: ExecutionParameter(type=str)}  # noqa: RUF012 - as TFX declares it
    INPUTS = {executor.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples)}  # noqa: RUF012
    OUTPUTS = {executor.OUTPUT_EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples)}  # noqa: RUF012


class ExampleJoiner(base_component.BaseComponent):
    """Makes one data set of the examples of several windows, so that they are described and compared with as one.

    The files are copied as they are: what was joined stays when the windows themselves are removed.

    Example:
      joined = ExampleJoiner(channel.union([first.outputs["result"], second.outputs["result"]]), split="eval")
      statistics = ImageStatisticsGen(joined.outputs["examples"], spec=spec.rows)

    Component `outputs` contains:
      - `examples`: channel of type `standard_artifacts.Examples`, with one split.

    Args:
      windows: channel of any number of `Examples` with one split each, such as ServingLogExampleGen writes.
      split: the name of the split that holds all of them.

    Raises:
      MonitorError: `split` is empty.

    """

    SPEC_CLASS = ExampleJoinerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, windows: types.BaseChannel, split: str = "eval") -> None:
        require(isinstance(split, str) and split != "", executor.SPLIT_KEY, "be a split's name", split)
        component_spec = ExampleJoinerSpec(
            **{
                executor.EXAMPLES_KEY: windows,
                executor.SPLIT_KEY: split,
                executor.OUTPUT_EXAMPLES_KEY: types.Channel(type=standard_artifacts.Examples),
            }
        )
        super().__init__(spec=component_spec)
