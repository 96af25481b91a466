"""`StatisticsPublisher`: the statistics and the verdict of a span -> a folder that outlives the run."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common.errors import require
from ..common.lasting import VOLUMES_KEY
from . import step
from .executor import Executor


class StatisticsPublisherSpec(ComponentSpec):
    """What is known of a span in, nothing out. The report has the type of the channel that is given."""

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        step.PUBLISHED_KEY: ExecutionParameter(type=str),
        step.SPLIT_KEY: ExecutionParameter(type=str),
        VOLUMES_KEY: ExecutionParameter(type=str, optional=True),  # of a compiled pipeline: the compiler says it
    }
    INPUTS: dict[str, ChannelParameter] = {  # noqa: RUF012
        step.STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        step.ANOMALIES_KEY: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        step.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012


class StatisticsPublisher(base_component.BaseComponent):
    """Publishes the statistics of a span, for drift: the runs after it take them by `StatisticsImporter("newest")`.

    On a machine of one's own ML Metadata says where the statistics of earlier spans are. Steps on a cluster do not ask
    it; what they have in common is a folder.

    Example:
      publisher = StatisticsPublisher(
          "s3://bucket/statistics/digits",
          statistics=described.outputs["statistics"],
          anomalies=validator.outputs["anomalies"],
          schema=importer.outputs["schema"],
          report=report.outputs["report"],
      )

    Args:
      published: the folder, of an object store or mounted; `none` for nowhere.
      statistics: channel of the window's `ExampleStatistics`.
      anomalies: channel of SkewDriftValidator's.
      schema: channel of BaselineImporter's.
      report: channel of ValidationReport's page.
      split: the split that is published.

    Raises:
      MonitorError: `published` is empty, or an argument is of another type.

    """

    SPEC_CLASS = StatisticsPublisherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(  # noqa: PLR0913 - what is known of a span; all but one by keyword
        self,
        published: str | RuntimeParameter,
        *,
        statistics: types.BaseChannel,
        anomalies: types.BaseChannel,
        schema: types.BaseChannel,
        report: types.BaseChannel,
        split: str = "serving",
    ) -> None:
        named = isinstance(published, RuntimeParameter) or (isinstance(published, str) and published != "")
        require(named, step.PUBLISHED_KEY, f"be a folder for statistics, or {step.NONE}", published)
        require(isinstance(split, str) and split != "", step.SPLIT_KEY, "be a split's name", split)
        told = {step.PUBLISHED_KEY: published, step.SPLIT_KEY: split}
        given = {step.STATISTICS_KEY: statistics, step.ANOMALIES_KEY: anomalies, step.SCHEMA_KEY: schema}
        super().__init__(spec=_spec_of(report)(**told, **given, **{step.REPORT_KEY: report}))


def _spec_of(report: types.BaseChannel) -> type[StatisticsPublisherSpec]:
    inputs = {**StatisticsPublisherSpec.INPUTS, step.REPORT_KEY: ChannelParameter(type=report.type)}
    return type(StatisticsPublisherSpec.__name__, (StatisticsPublisherSpec,), {"INPUTS": inputs})
