"""AtomicPusher: TFX's Pusher, except that a version appears whole or not at all and brings its baseline bundle."""

from collections.abc import Iterable

from tfx import types
from tfx.components.pusher import component as pusher_component
from tfx.dsl.components.base import executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import proto_utils

from ..common.errors import MonitorError, require
from ..common.lasting import VOLUMES_KEY
from ..common.model_spec import ModelSpec
from . import step
from .destination import PUSH_DESTINATION_KEY, base_directory
from .executor import Executor


class AtomicPusherSpec(ComponentSpec):
    """As TFX's Pusher, but a push without a blessing or a baseline is not one.

    The held-out examples may turn out to be none: reports of windows then show no image of them. The inputs that a
    pipeline may leave out are added for the pusher that has them, and must then hold something: TFX starts an optional
    one's component without it.
    """

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        PUSH_DESTINATION_KEY: ExecutionParameter(type=pusher_pb2.PushDestination),
        step.SPEC_KEY: ExecutionParameter(type=str),
        step.RUN_KEY: ExecutionParameter(type=str),
        step.JUDGED_AGAINST_KEY: ExecutionParameter(type=str),
        VOLUMES_KEY: ExecutionParameter(type=str, optional=True),  # of a compiled pipeline: the compiler says it
    }
    INPUTS = {  # noqa: RUF012
        step.MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        step.MODEL_BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
        step.BASELINE_STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        step.BASELINE_EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples, optional=True),
        step.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS = {step.PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel)}  # noqa: RUF012


_MAY_BE_LEFT_OUT = {
    step.STATISTICS_KEY: standard_artifacts.ExampleStatistics,
    step.EVALUATION_KEY: standard_artifacts.ModelEvaluation,
    step.BASELINE_MODEL_KEY: standard_artifacts.Model,
}


class AtomicPusher(pusher_component.Pusher):
    """Pushes a blessed model to a folder that a model server watches.

    Example:
      pusher = AtomicPusher(
          trainer.outputs["model"],
          spec=ModelSpec.load("monitor.yaml"),
          model_blessing=gate.outputs["blessing"],
          statistics=statistics_gen.outputs["statistics"],
          baseline_statistics=held_out_statistics.outputs["statistics"],
          baseline_examples=held_out_scorer.outputs["examples"],
          schema=calibrator.outputs["schema"],
          evaluation=evaluator.outputs["evaluation"],
          push_destination=PushDestination(filesystem=PushDestination.Filesystem(base_directory=serving_dir)),
      )

    Args:
      model: channel of the `Model`.
      spec: the model's. It travels with the baseline, so that monitoring needs no other description of the model.
        Where it does not say the channel means of colour images, those of the baseline are put in.
      model_blessing: channel of the `ModelBlessing`, PushGate's or any other.
      statistics: channel of the `ExampleStatistics` of the data the model was trained on; may be left out.
      baseline_statistics: channel of the `ExampleStatistics` of held-out examples scored by this model: what its
        serving logs will be compared with.
      baseline_examples: channel of these `Examples`, or of ones with the same ids. They are not copied: the bundle says
        where they are, so that reports of serving can show the baseline's images.
      schema: channel of the `Schema` that the data was held against; ThresholdCalibrator's, to carry the comparators.
      evaluation: channel of the `ModelEvaluation`; may be left out.
      push_destination: as for TFX's Pusher: a folder of a local or mounted file system, or of an object store (s3://,
        gs://, minio://).
      run_key: what tells this run's settings and data from another's; see `baseline_bundle.choose_baseline`.
      judged_against: the folder of the pushed version that was the model's baseline, empty when there was none; or the
        channel of the `Model` by a BaselineImporter, which says it when the pipeline runs.

    Raises:
      MonitorError: if the destination is none of these, or `spec` no ModelSpec.

    """

    SPEC_CLASS = AtomicPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(  # noqa: PLR0913 - seven inputs and three parameters, all but one by keyword
        self,
        model: types.BaseChannel,
        *,
        spec: ModelSpec,
        model_blessing: types.BaseChannel,
        baseline_statistics: types.BaseChannel,
        schema: types.BaseChannel,
        push_destination: pusher_pb2.PushDestination | RuntimeParameter,
        statistics: types.BaseChannel | None = None,
        evaluation: types.BaseChannel | None = None,
        baseline_examples: types.BaseChannel | None = None,
        run_key: str = "",
        judged_against: str | types.BaseChannel = "",
    ) -> None:
        _check_destination(push_destination)
        require(isinstance(spec, ModelSpec), step.SPEC_KEY, "be a ModelSpec, such as ModelSpec.load gives", spec)
        baseline = judged_against if isinstance(judged_against, types.BaseChannel) else None
        channels = {
            step.STATISTICS_KEY: statistics,
            step.EVALUATION_KEY: evaluation,
            step.BASELINE_MODEL_KEY: baseline,
        }
        given = {key: channel for key, channel in channels.items() if channel is not None}
        component_spec = _spec_class(given)(
            **{
                **given,
                step.MODEL_KEY: model,
                step.MODEL_BLESSING_KEY: model_blessing,
                step.BASELINE_STATISTICS_KEY: baseline_statistics,
                step.BASELINE_EXAMPLES_KEY: baseline_examples,
                step.SCHEMA_KEY: schema,
                PUSH_DESTINATION_KEY: push_destination,
                step.SPEC_KEY: spec.to_json(),
                step.RUN_KEY: run_key,
                step.JUDGED_AGAINST_KEY: "" if baseline is not None else judged_against,
                step.PUSHED_MODEL_KEY: types.Channel(type=standard_artifacts.PushedModel),
            }
        )
        # Not Pusher's own: it builds TFX's spec, which has no place for the bundle's inputs.
        super(pusher_component.Pusher, self).__init__(spec=component_spec)


def _spec_class(given: Iterable[str]) -> type[AtomicPusherSpec]:
    """The spec with the inputs that were given of those that may be left out."""
    added = {key: ChannelParameter(type=_MAY_BE_LEFT_OUT[key]) for key in given}
    return type(AtomicPusherSpec.__name__, (AtomicPusherSpec,), {"INPUTS": {**AtomicPusherSpec.INPUTS, **added}})


def _check_destination(destination: pusher_pb2.PushDestination | RuntimeParameter) -> None:
    """Checks what is known when the pipeline is built; a runtime parameter is checked by the step."""
    if isinstance(destination, RuntimeParameter):
        return
    try:
        text = destination if isinstance(destination, str) else proto_utils.proto_to_json(destination)
        base_directory(text)
    except AttributeError as error:
        raise MonitorError(f"`push_destination` must be a PushDestination. Received: {destination!r}") from error
