"""`PerformanceEstimator`: how accurate the model is on a window, without labels or with delayed ones."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common.errors import require, require_known
from ..common.model_spec import ModelSpec
from ..common.tfx_files import tfx_files
from . import readers, step
from .accuracy_estimation import DEFAULT_ESTIMATOR, ESTIMATORS
from .executor import Executor


class PerformanceEstimatorSpec(ComponentSpec):
    """Statistics of two sides in, anomalies out; `examples` is added for the component that has a labels file.

    An input that is there is never optional: TFX starts an optional one's component without it when it holds nothing.
    """

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        step.LABELS_FILE_KEY: ExecutionParameter(type=str),
        step.LABELS_FINGERPRINT_KEY: ExecutionParameter(type=str),
        step.SPLIT_KEY: ExecutionParameter(type=str),
        step.BASELINE_SPLIT_KEY: ExecutionParameter(type=str),
        step.ESTIMATOR_KEY: ExecutionParameter(type=str),
        step.MAX_ACCURACY_DROP_KEY: ExecutionParameter(type=float),
        step.SPEC_KEY: ExecutionParameter(type=str),
        step.SEED_KEY: ExecutionParameter(type=int),
    }
    INPUTS = {  # noqa: RUF012
        step.STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        step.BASELINE_STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
    }
    OUTPUTS = {step.ANOMALIES_KEY: ChannelParameter(type=standard_artifacts.ExampleAnomalies)}  # noqa: RUF012


class _WithExamplesSpec(PerformanceEstimatorSpec):
    INPUTS = {  # noqa: RUF012
        **PerformanceEstimatorSpec.INPUTS,
        step.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
    }


class PerformanceEstimator(base_beam_component.BaseBeamComponent):
    """Says whether a shift degrades the model: its accuracy on the window against that on the held-out baseline.

    Example:
      performance = PerformanceEstimator(
          statistics_gen.outputs["statistics"], baseline.outputs["baseline_statistics"],
          spec=spec, examples=logs.outputs["examples"], labels_file="labels/span-7.csv",
      )

    Component `outputs` contains:
      - `anomalies`: channel of type `ExampleAnomalies`, for PushGate or anyone else: none when the window is fine, one
        on the dataset when the accuracy fell too far or could not be told. `performance.json` in it has every figure.

    """

    SPEC_CLASS = PerformanceEstimatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(  # noqa: PLR0913 - two samples, labels, and one setting for each decision
        self,
        statistics: types.BaseChannel,
        baseline_statistics: types.BaseChannel,
        *,
        spec: ModelSpec,
        examples: types.BaseChannel | None = None,
        labels_file: str | RuntimeParameter = "",
        split: str = "serving",
        baseline_split: str = "eval",
        estimator: str = DEFAULT_ESTIMATOR,
        max_accuracy_drop: float = 0.05,
        seed: int = 0,
    ) -> None:
        """Args:
          statistics: Channel of `ExampleStatistics` of the window by ImageStatisticsGen, given the probabilities.
          baseline_statistics: The same of held-out examples with labels, scored by the same model.
          spec: Of the model; labels are the numbers or the names of its classes.
          examples: Channel of `Examples` of the window; read when there is a labels file, and only then.
          labels_file: Delayed labels: CSV with the header `id,label`, or TFRecord of tf.Examples with both,
            gzipped or not, told apart by the name (.csv or tfrecord). "" for none.
          split: Of the window.
          baseline_split: Of the held-out examples.
          estimator: One of `accuracy_estimation.ESTIMATORS`.
          max_accuracy_drop: How far below the baseline's the accuracy may fall, in [0, 1).
          seed: Of the bootstrap behind the estimate's interval.

        Raises:
          MonitorError: an argument breaks a rule above, or there is a labels file and no `examples`.

        """
        require(isinstance(spec, ModelSpec), step.SPEC_KEY, "be a ModelSpec", spec)
        require_known(estimator, ESTIMATORS, step.ESTIMATOR_KEY)
        require(0 <= max_accuracy_drop < 1, step.MAX_ACCURACY_DROP_KEY, "be in [0, 1)", max_accuracy_drop)
        require(isinstance(seed, int) and seed >= 0, step.SEED_KEY, "be a whole number, 0 or more", seed)
        for name, value in ((step.SPLIT_KEY, split), (step.BASELINE_SPLIT_KEY, baseline_split)):
            require(isinstance(value, str) and value != "", name, "be a split's name", value)
        given = _labels(labels_file, examples)
        arguments = {
            **given,
            step.STATISTICS_KEY: statistics,
            step.BASELINE_STATISTICS_KEY: baseline_statistics,
            step.SPLIT_KEY: split,
            step.BASELINE_SPLIT_KEY: baseline_split,
            step.ESTIMATOR_KEY: estimator,
            step.MAX_ACCURACY_DROP_KEY: float(max_accuracy_drop),
            step.SPEC_KEY: spec.to_json(),
            step.SEED_KEY: seed,
            step.ANOMALIES_KEY: types.Channel(type=standard_artifacts.ExampleAnomalies),
        }
        inputs = _WithExamplesSpec if step.EXAMPLES_KEY in given else PerformanceEstimatorSpec
        super().__init__(spec=inputs(**arguments))


def _labels(labels_file: str | RuntimeParameter, examples: types.BaseChannel | None) -> dict[str, object]:
    """The arguments that delayed labels need: the file, what is in it when the pipeline is built, and the examples."""
    fingerprint = ""
    if isinstance(labels_file, str) and labels_file:
        readers.labels_kind(labels_file)
        fingerprint = readers.labels_fingerprint(labels_file, tfx_files())
    given: dict[str, object] = {step.LABELS_FILE_KEY: labels_file, step.LABELS_FINGERPRINT_KEY: fingerprint}
    if labels_file:
        require(examples is not None, step.EXAMPLES_KEY, "be given where there is a `labels_file`", examples)
        given[step.EXAMPLES_KEY] = examples
    return given
