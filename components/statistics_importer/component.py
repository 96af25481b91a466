"""`StatisticsImporter`: the folder of statistics, or none -> ExampleStatistics."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common.errors import require
from . import executor, step


class StatisticsImporterSpec(ComponentSpec):
    """A folder in, or what says which of the published ones; statistics out."""

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        step.URI_KEY: ExecutionParameter(type=str),
        step.SPLIT_KEY: ExecutionParameter(type=str),
        step.SPAN_KEY: ExecutionParameter(type=int, optional=True),
        step.CACHE_KEY: ExecutionParameter(type=str, optional=True),
        step.PUBLISHED_KEY: ExecutionParameter(type=str, optional=True),
        step.FINE_KEY: ExecutionParameter(type=int, optional=True),
    }
    INPUTS = {  # noqa: RUF012
        step.WINDOW_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        step.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema, optional=True),
    }
    OUTPUTS = {step.STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics)}  # noqa: RUF012


class StatisticsImporter(base_component.BaseComponent):
    """Imports the statistics of an earlier span, or says that there are none: a pipeline has one shape in either case.

    It takes the place of TFX's Importer, which knows no `none`, and which Kubeflow runs by itself, with its own rights
    and for three kinds of object stores.

    Example:
      previous = StatisticsImporter("/runs/artifacts/ImageStatisticsGen/statistics/12", span=6)
      validator = SkewDriftValidator(..., previous_statistics=previous.outputs["statistics"])

    Args:
      uri: the folder of an artifact `ExampleStatistics`, or of a span in `published`; `newest` for the newest of an
        earlier span in `published`; `none` for none.
      split: the split that it must have; no other is imported.
      span: the number of the span; None where it is not known.
      cache_key: anything that another value of makes it import again, see BaselineImporter.
      published: the folder that StatisticsPublisher publishes to; None where there is none.
      window: with `published`, channel of the statistics of the span that is evaluated.
      schema: with `published`, channel of BaselineImporter's: statistics of another version's answers are passed over.
      fine: whether `newest` is to have been fine.

    Raises:
      MonitorError: `uri` is empty, or an argument is of another type.

    """

    SPEC_CLASS = StatisticsImporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(  # noqa: PLR0913 - which statistics; all but one by keyword
        self,
        uri: str | RuntimeParameter,
        *,
        split: str = "serving",
        span: int | None = None,
        cache_key: str = "",
        published: str | RuntimeParameter | None = None,
        window: types.BaseChannel | None = None,
        schema: types.BaseChannel | None = None,
        fine: bool = False,
    ) -> None:
        named = isinstance(uri, RuntimeParameter) or (isinstance(uri, str) and uri != "")
        require(named, step.URI_KEY, f"be the folder of statistics, or {step.NONE}", uri)
        require(isinstance(split, str) and split != "", step.SPLIT_KEY, "be a split's name", split)
        require(span is None or type(span) is int, step.SPAN_KEY, "be the number of a span", span)
        asked = published is None or (window is not None and schema is not None)
        require(asked, step.PUBLISHED_KEY, "come with `window` and `schema`, which say what is looked for", published)
        told = {step.URI_KEY: uri, step.SPLIT_KEY: split, step.SPAN_KEY: span, step.CACHE_KEY: cache_key or None}
        told |= {step.PUBLISHED_KEY: published, step.WINDOW_KEY: window, step.SCHEMA_KEY: schema}
        told[step.FINE_KEY] = int(fine) or None
        given = {key: value for key, value in told.items() if value is not None}
        statistics = types.Channel(type=standard_artifacts.ExampleStatistics)
        super().__init__(spec=StatisticsImporterSpec(**given, **{step.STATISTICS_KEY: statistics}))
