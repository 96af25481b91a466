"""BaselineImporter: a pushed version as artifacts of this pipeline."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common import baseline_bundle
from ..common.errors import MonitorError, require
from ..common.object_store.address import is_address
from . import step
from .executor import Executor


class BaselineImporterSpec(ComponentSpec):
    """Parameters in, five artifacts out."""

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        step.BUNDLE_URI_KEY: ExecutionParameter(type=str),
        step.CACHE_KEY: ExecutionParameter(type=str, optional=True),
        step.AS_OF_KEY: ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS = {  # noqa: RUF012
        step.MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        step.STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        step.BASELINE_STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        step.REFERENCE_STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        step.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
    }


class BaselineImporter(base_component.BaseComponent):
    """Imports what was pushed: the model, the statistics of its training data and of its held-out baseline, the schema.

    `reference_statistics` is what serving is compared with: the baseline's, or those of windows of serving that
    `model-monitor rebaseline` has put in their place. The accuracy is estimated from the baseline's in either case.

    Example:
      baseline = BaselineImporter(choose_baseline(serving_dir, run_key))
      evaluator = Evaluator(..., baseline_model=baseline.outputs["model"])

    Args:
      bundle_uri: the folder of a version that AtomicPusher pushed, of this machine or of an object store. It is read
        when the component runs.
      cache_key: anything that another value of makes it import again. TFX reads all runs that took a result from its
        cache to take it once more, so that whoever imports thousands of times changes it now and then.

    Raises:
      MonitorError: if `bundle_uri` is empty. A pipeline without a baseline has no BaselineImporter.

    """

    SPEC_CLASS = BaselineImporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, bundle_uri: str | RuntimeParameter, cache_key: str = "") -> None:
        require(bool(bundle_uri), step.BUNDLE_URI_KEY, "be the folder of a pushed version", bundle_uri)
        as_of = _as_of(bundle_uri) if isinstance(bundle_uri, str) else ""
        given = {step.BUNDLE_URI_KEY: bundle_uri, step.CACHE_KEY: cache_key, step.AS_OF_KEY: as_of}
        outputs = {key: types.Channel(type=each.type) for key, each in BaselineImporterSpec.OUTPUTS.items()}
        parameters = {key: value for key, value in given.items() if value}
        super().__init__(spec=BaselineImporterSpec(**parameters, **outputs))


def _as_of(bundle_uri: str) -> str:
    """When the bundle was made, where it can be read already; "" where it cannot, which the executor says then.

    In an object store no bundle gives way to another in its place, and the machine that compiles may not reach it.
    """
    if is_address(bundle_uri):
        return ""
    try:
        return baseline_bundle.read(bundle_uri).manifest.pushed_at
    except MonitorError:
        return ""
