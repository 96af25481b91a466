"""`HeldOutScorer`: examples and a model -> canonical rows with what the model says of each."""

import json
from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common.errors import require
from ..common.model_spec import ModelSpec
from . import executor


class HeldOutScorerSpec(ComponentSpec):
    """Examples and a model in, examples out."""

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        executor.SPEC_KEY: ExecutionParameter(type=str),
        executor.SPLITS_KEY: ExecutionParameter(type=str),
        executor.LOGGED_KEY: ExecutionParameter(type=int),
    }
    INPUTS = {  # noqa: RUF012
        executor.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        executor.MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {executor.OUTPUT_EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples)}  # noqa: RUF012


class HeldOutScorer(base_beam_component.BaseBeamComponent):
    """Asks a model about examples that it was not trained on, and writes what it says as canonical rows.

    It takes the place of BulkInferrer, whose loader fails on Keras 3 models saved the usual way ("Could not find
    variable"). The model is asked as its spec says: with serialised Examples by `signatures.examples` where there is
    such a signature, otherwise by `signatures.serve` with image files or with numbers of its range. The rows have the
    features that ServingLogExampleGen writes, so that held-out examples and logs are described by one `spec.rows`.

    Example:
      scored = HeldOutScorer(example_gen.outputs["examples"], trainer.outputs["model"], spec=spec)
      statistics = ImageStatisticsGen(scored.outputs["examples"], spec=spec.rows)

    Component `outputs` contains:
      - `examples`: channel of type `standard_artifacts.Examples`, with the splits that were scored.

    Args:
      examples: channel of `Examples`, tf.Examples.
      model: channel of the `Model`, a SavedModel; `model.save("x.keras")` is none, `model.export(folder)` is.
      spec: the model's.
      splits: which to score.
      logged: whether the examples are ServingLogExampleGen's, which are scored anew by this model: what they say of
        the answers of the model that was served is replaced, all else stays. Their split is `serving`.

    Raises:
      MonitorError: an argument breaks a rule above.

    """

    SPEC_CLASS = HeldOutScorerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        *,
        spec: ModelSpec,
        splits: Sequence[str] = ("eval",),
        logged: bool = False,
    ) -> None:
        require(isinstance(spec, ModelSpec), executor.SPEC_KEY, "be a ModelSpec, such as ModelSpec.load gives", spec)
        names = not isinstance(splits, str) and len(splits) > 0 and all(isinstance(s, str) and s for s in splits)
        require(names, executor.SPLITS_KEY, 'be a list of names of splits, such as ["eval"]', splits)
        component_spec = HeldOutScorerSpec(
            **{
                executor.EXAMPLES_KEY: examples,
                executor.MODEL_KEY: model,
                executor.SPEC_KEY: spec.to_json(),
                executor.SPLITS_KEY: json.dumps(list(splits)),
                executor.LOGGED_KEY: int(logged),
                executor.OUTPUT_EXAMPLES_KEY: types.Channel(type=standard_artifacts.Examples),
            }
        )
        super().__init__(spec=component_spec)
