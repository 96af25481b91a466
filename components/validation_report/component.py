"""ValidationReport: everything that a run found out, as one page of HTML."""

import json
from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common.errors import require
from ..common.model_spec import ModelSpec
from ..common.pages.page_artifact import HISTORY_PARAMETER
from ..common.records.span_history import SpanHistory
from . import step
from .artifact import HtmlReport
from .executor import Executor

_TYPES = {
    "statistics": standard_artifacts.ExampleStatistics,
    "baseline_statistics": standard_artifacts.ExampleStatistics,
    "previous_statistics": standard_artifacts.ExampleStatistics,
    "training_statistics": standard_artifacts.ExampleStatistics,
    "examples": standard_artifacts.Examples,
    "baseline_examples": standard_artifacts.Examples,
    "blessing": standard_artifacts.ModelBlessing,
    "evaluation": standard_artifacts.ModelEvaluation,
    "pushed_model": standard_artifacts.PushedModel,
    "schema": standard_artifacts.Schema,
}


class ValidationReportSpec(ComponentSpec):
    """What every report has. Each input is added for the report that is given it.

    An input that is there is never optional: TFX starts an optional one's component without it when it holds nothing.
    """

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        step.CONNECTED_KEY: ExecutionParameter(type=str),
        step.SPEC_KEY: ExecutionParameter(type=str),
        step.SPLIT_KEY: ExecutionParameter(type=str),
        step.BASELINE_SPLIT_KEY: ExecutionParameter(type=str),
        HISTORY_PARAMETER: ExecutionParameter(type=str, optional=True),
    }
    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {step.REPORT_KEY: ChannelParameter(type=HtmlReport)}  # noqa: RUF012


class ValidationReport(base_component.BaseComponent):
    """Makes the page on which a person sees what a run decided, and why.

    Example:
      report = ValidationReport(
          anomalies=[logs.outputs["anomalies"], validator.outputs["anomalies"], performance.outputs["anomalies"]],
          statistics=statistics_gen.outputs["statistics"],
          baseline_statistics=baseline.outputs["baseline_statistics"],
          examples=logs.outputs["examples"],
          spec=ModelSpec.load("monitor.yaml"),
      )

    Component `outputs` contains:
      - `report`: channel of type `HtmlReport`: a folder with `report.html`.

    """

    SPEC_CLASS = ValidationReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(  # noqa: PLR0913 - everything that a run may have to show
        self,
        *,
        anomalies: Sequence[types.BaseChannel] = (),
        statistics: types.BaseChannel | None = None,
        baseline_statistics: types.BaseChannel | None = None,
        previous_statistics: types.BaseChannel | None = None,
        training_statistics: types.BaseChannel | None = None,
        examples: types.BaseChannel | None = None,
        baseline_examples: types.BaseChannel | None = None,
        blessing: types.BaseChannel | None = None,
        evaluation: types.BaseChannel | None = None,
        pushed_model: types.BaseChannel | None = None,
        schema: types.BaseChannel | None = None,
        spec: ModelSpec | None = None,
        split: str = "serving",
        baseline_split: str = "eval",
        history: SpanHistory | None = None,
    ) -> None:
        """Args:
          anomalies: Channels of `ExampleAnomalies` of every check, with the reports that lie beside them.
          statistics: Channel of `ExampleStatistics` of the window, the examples that were served.
          baseline_statistics: The same of held-out examples, scored by the model.
          previous_statistics: The same of the previous span.
          training_statistics: The same of the data that the model was trained on.
          examples: Channel of `Examples` of the window, for its images.
          baseline_examples: The same of the held-out examples; those that the bundle of `schema` names where left out.
          blessing: Channel of `ModelBlessing`. With it the page is about a push, without it about a window.
          evaluation: Channel of `ModelEvaluation`.
          pushed_model: Channel of `PushedModel`; connecting it makes the report run after the push.
          schema: Channel of `Schema` by a BaselineImporter, whose bundle has the evaluation of the baseline and says
            where its examples are.
          spec: The model's: names of classes, and how images and ids are stored in held-out examples.
          split: Of the window.
          baseline_split: Of the held-out examples.
          history: What was known of the span and of those before it, for the verdict: "fine again", "seen before".

        Raises:
          MonitorError: an argument breaks a rule above, or there is nothing to report on.

        """
        for name, value in ((step.SPLIT_KEY, split), (step.BASELINE_SPLIT_KEY, baseline_split)):
            require(isinstance(value, str) and value != "", name, "be a split's name", value)
        single = {
            "statistics": statistics, "baseline_statistics": baseline_statistics,
            "previous_statistics": previous_statistics, "training_statistics": training_statistics,
            "examples": examples, "baseline_examples": baseline_examples, "blessing": blessing,
            "evaluation": evaluation, "pushed_model": pushed_model, "schema": schema,
        }  # fmt: skip
        given = {key: channel for key, channel in single.items() if channel is not None}
        given |= {f"{step.ANOMALIES_PREFIX}{number}": channel for number, channel in enumerate(anomalies)}
        require(bool(given), "ValidationReport", "be given at least one channel", given)
        rule = "be a ModelSpec, such as ModelSpec.load gives, or None"
        require(spec is None or isinstance(spec, ModelSpec), step.SPEC_KEY, rule, spec)
        arguments = {
            **given,
            step.CONNECTED_KEY: json.dumps({key: _producer(channel) for key, channel in given.items()}),
            step.SPEC_KEY: "" if spec is None else spec.to_json(),
            step.SPLIT_KEY: split,
            step.BASELINE_SPLIT_KEY: baseline_split,
            HISTORY_PARAMETER: "" if history is None else history.to_json(),
            step.REPORT_KEY: types.Channel(type=HtmlReport),
        }
        super().__init__(spec=_spec_of(given)(**arguments))


def _spec_of(given: dict[str, types.BaseChannel]) -> type[ValidationReportSpec]:
    """A spec with exactly these inputs."""
    anomalies = standard_artifacts.ExampleAnomalies
    inputs = {key: ChannelParameter(type=_TYPES.get(key, anomalies)) for key in given}
    return type("ValidationReportSpec", (ValidationReportSpec,), {"INPUTS": inputs})


def _producer(channel: types.BaseChannel) -> str:
    """The id of the component that makes a channel, "" where it does not say."""
    return str(getattr(channel, "producer_component_id", None) or "")
