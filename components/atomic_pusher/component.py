"""AtomicPusher: TFX's Pusher, except that a version appears whole or not at all and brings its baseline bundle."""

from google.protobuf.json_format import ParseError
from tfx import types
from tfx.components.pusher import component as pusher_component
from tfx.dsl.components.base import executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import proto_utils

from ..common.errors import MonitorError
from . import executor


class AtomicPusherSpec(ComponentSpec):
    """As TFX's Pusher, but a push without a blessing or a baseline is not one.

    Only the held-out examples may be left out, or turn out to be none: reports of windows then show no image of them.
    """

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        executor.PUSH_DESTINATION_KEY: ExecutionParameter(type=pusher_pb2.PushDestination),
        executor.RUN_KEY: ExecutionParameter(type=str),
        executor.JUDGED_AGAINST_KEY: ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        executor.MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        executor.MODEL_BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
        executor.STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        executor.BASELINE_STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        executor.BASELINE_EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples, optional=True),
        executor.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
        executor.EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
    }
    OUTPUTS = {executor.PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel)}  # noqa: RUF012


class AtomicPusher(pusher_component.Pusher):
    """Pushes a blessed model to a folder that a model server watches.

    Example:
      pusher = AtomicPusher(
          trainer.outputs["model"],
          model_blessing=gate.outputs["blessing"],
          statistics=statistics_gen.outputs["statistics"],
          baseline_statistics=held_out_statistics.outputs["statistics"],
          baseline_examples=example_gen.outputs["examples"],
          schema=calibrator.outputs["schema"],
          evaluation=evaluator.outputs["evaluation"],
          push_destination=PushDestination(filesystem=PushDestination.Filesystem(base_directory=serving_dir)),
      )

    Args:
      model: channel of the `Model`.
      model_blessing: channel of the `ModelBlessing`, PushGate's or any other.
      statistics: channel of the `ExampleStatistics` of the data the model was trained on.
      baseline_statistics: channel of the `ExampleStatistics` of held-out examples scored by this model: what its
        serving logs will be compared with.
      baseline_examples: channel of these `Examples`, or of ones with the same ids. They are not copied: the bundle says
        where they are, so that reports of serving can show the baseline's images.
      schema: channel of the `Schema` that the data was held against; ThresholdCalibrator's, to carry the comparators.
      evaluation: channel of the `ModelEvaluation`.
      push_destination: as for TFX's Pusher; a local or mounted file system, for object stores cannot rename.
      run_key: what tells this run's settings and data from another's; see `baseline_bundle.choose_baseline`.
      judged_against: the folder of the pushed version that was the model's baseline; empty when there was none.

    Raises:
      MonitorError: if the destination is none of these.

    """

    SPEC_CLASS = AtomicPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(  # noqa: PLR0913 - seven inputs and three parameters, all but one by keyword
        self,
        model: types.BaseChannel,
        *,
        model_blessing: types.BaseChannel,
        statistics: types.BaseChannel,
        baseline_statistics: types.BaseChannel,
        schema: types.BaseChannel,
        evaluation: types.BaseChannel,
        push_destination: pusher_pb2.PushDestination | RuntimeParameter,
        baseline_examples: types.BaseChannel | None = None,
        run_key: str = "",
        judged_against: str = "",
    ) -> None:
        _check_destination(push_destination)
        spec = AtomicPusherSpec(
            **{
                executor.MODEL_KEY: model,
                executor.MODEL_BLESSING_KEY: model_blessing,
                executor.STATISTICS_KEY: statistics,
                executor.BASELINE_STATISTICS_KEY: baseline_statistics,
                executor.BASELINE_EXAMPLES_KEY: baseline_examples,
                executor.SCHEMA_KEY: schema,
                executor.EVALUATION_KEY: evaluation,
                executor.PUSH_DESTINATION_KEY: push_destination,
                executor.RUN_KEY: run_key,
                executor.JUDGED_AGAINST_KEY: judged_against,
                executor.PUSHED_MODEL_KEY: types.Channel(type=standard_artifacts.PushedModel),
            }
        )
        # Not Pusher's own: it builds TFX's spec, which has no place for the bundle's inputs.
        super(pusher_component.Pusher, self).__init__(spec=spec)


def _check_destination(destination: pusher_pb2.PushDestination | RuntimeParameter) -> None:
    """Checks what is known when the pipeline is built; a runtime parameter is checked by the executor."""
    if isinstance(destination, RuntimeParameter):
        return
    try:
        text = destination if isinstance(destination, str) else proto_utils.proto_to_json(destination)
        executor.base_directory(text)
    except (ParseError, AttributeError) as error:
        raise MonitorError(f"`push_destination` must be a PushDestination. Received: {destination!r}") from error
