"""PushGate: turns every verdict about a model into one blessing that the Pusher obeys, with reasons."""

import json
from collections.abc import Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common.errors import require
from ..common.model_spec import ModelSpec
from . import step
from .executor import Executor
from .policy import Policy, parse_policy


class PushGateSpec(ComponentSpec):
    """What every gate has. The inputs that a pipeline may leave out are added for the gate that has them.

    An input that is there is never optional: TFX starts an optional one's component without it when it holds nothing.
    """

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        step.POLICY_KEY: ExecutionParameter(type=str),
        step.SPEC_KEY: ExecutionParameter(type=str),
        step.SOURCES_KEY: ExecutionParameter(type=str),
    }
    INPUTS = {step.MODEL_KEY: ChannelParameter(type=standard_artifacts.Model)}  # noqa: RUF012
    OUTPUTS = {step.BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing)}  # noqa: RUF012


class PushGate(base_component.BaseComponent):
    """Blesses a model when its metrics, the data and the model itself give no reason against it.

    Example:
      gate = PushGate(
          trainer.outputs["model"],
          model_blessing=evaluator.outputs["blessing"],
          evaluation=evaluator.outputs["evaluation"],
          anomalies=[example_validator.outputs["anomalies"]],
          examples=example_gen.outputs["examples"],
          spec=ModelSpec.load("monitor.yaml"),
      )
      pusher = Pusher(model=trainer.outputs["model"], model_blessing=gate.outputs["blessing"], ...)

    Args:
      model: channel of the `Model`.
      model_blessing: channel of the Evaluator's `ModelBlessing`.
      evaluation: channel of the Evaluator's `ModelEvaluation`; what lets the gate name metric, slice and threshold.
      anomalies: channels of `ExampleAnomalies`, any number.
      examples: channel of `Examples`; the canary asks the model about some of them, of the split `eval` where there is
        one, in place of made-up batches. Needed for a model that takes strings, such as image files.
      spec: the model's; says what is to be asked and answered. Needed with `examples`.
      policy: the text of a policy file (docs/push_gate.md), not its path. With a spec it may be left out: everything
        then has the strict value, and a file need not say what the spec says.

    Raises:
      MonitorError: if the policy is malformed, contradicts the spec, or requires an input that is not given; or if
        there are examples without a spec.

    """

    SPEC_CLASS = PushGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(  # noqa: PLR0913 - what is judged, by what, and how
        self,
        model: types.BaseChannel,
        *,
        policy: str = "",
        model_blessing: types.BaseChannel | None = None,
        evaluation: types.BaseChannel | None = None,
        anomalies: Sequence[types.BaseChannel] = (),
        examples: types.BaseChannel | None = None,
        spec: ModelSpec | None = None,
    ) -> None:
        rule = "be a ModelSpec, such as ModelSpec.load gives, where `examples` are given"
        known = isinstance(spec, ModelSpec) or (spec is None and examples is None)
        require(known, step.SPEC_KEY, rule, spec)
        parsed = parse_policy(policy, anomalies_pb2.AnomalyInfo.Type.keys(), spec)
        keyed = {f"{step.ANOMALIES_PREFIX}{number}": channel for number, channel in enumerate(anomalies)}
        given = {
            step.MODEL_BLESSING_KEY: model_blessing,
            step.EVALUATION_KEY: evaluation,
            step.EXAMPLES_KEY: examples,
            **keyed,
        }
        inputs = {key: channel for key, channel in given.items() if channel is not None}
        _require_inputs(parsed, inputs, len(keyed))
        component_spec = _spec_class(list(inputs))(
            **inputs,
            **{
                step.MODEL_KEY: model,
                step.POLICY_KEY: policy,
                step.SPEC_KEY: "" if spec is None else spec.to_json(),
                step.SOURCES_KEY: json.dumps({key: _producer(channel, key) for key, channel in keyed.items()}),
                step.BLESSING_KEY: types.Channel(type=standard_artifacts.ModelBlessing),
            },
        )
        super().__init__(spec=component_spec)


def _require_inputs(policy: Policy, inputs: dict[str, types.BaseChannel], anomalies: int) -> None:
    judged = step.EVALUATION_KEY in inputs or step.MODEL_BLESSING_KEY in inputs
    rule = "be given, or `model_blessing`, because the policy has evaluation.required"
    require(judged or not policy.evaluation.required, step.EVALUATION_KEY, rule, None)
    rule = "hold a channel, because the policy has anomalies.required"
    require(anomalies > 0 or not policy.anomalies.required, "anomalies", rule, [])


def _spec_class(keys: list[str]) -> type[PushGateSpec]:
    kinds = {
        step.MODEL_BLESSING_KEY: standard_artifacts.ModelBlessing,
        step.EVALUATION_KEY: standard_artifacts.ModelEvaluation,
        step.EXAMPLES_KEY: standard_artifacts.Examples,
    }
    added = {key: ChannelParameter(type=kinds.get(key, standard_artifacts.ExampleAnomalies)) for key in keys}
    return type(PushGateSpec.__name__, (PushGateSpec,), {"INPUTS": {**PushGateSpec.INPUTS, **added}})


def _producer(channel: types.BaseChannel, key: str) -> str:
    """The id of the component that makes what is in `channel`; `key` for a channel that does not say."""
    return getattr(channel, "producer_component_id", None) or key
