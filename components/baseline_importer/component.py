"""BaselineImporter: a pushed version as artifacts of this pipeline."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common import baseline_bundle
from ..common.errors import MonitorError, require
from ..common.model_spec import ModelSpec
from ..common.object_store.address import is_address
from . import step
from .executor import Executor


class BaselineImporterSpec(ComponentSpec):
    """Parameters in, five artifacts out."""

    PARAMETERS = {  # noqa: RUF012 - as TFX declares it
        step.BUNDLE_URI_KEY: ExecutionParameter(type=str),
        step.CACHE_KEY: ExecutionParameter(type=str, optional=True),
        step.AS_OF_KEY: ExecutionParameter(type=str, optional=True),
        step.SERVING_DIR_KEY: ExecutionParameter(type=str, optional=True),
        step.NEEDED_KEY: ExecutionParameter(type=int, optional=True),
        step.SPEC_KEY: ExecutionParameter(type=str, optional=True),
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
      bundle_uri: the folder of a version that AtomicPusher pushed, of this machine or of an object store; or a folder
        of versions, for the newest; or `newest`, for the newest in `serving_dir`; or `none`. It is read when the
        component runs.
      cache_key: anything that another value of makes it import again. TFX reads all runs that took a result from its
        cache to take it once more, so that whoever imports thousands of times changes it now and then.

      serving_dir: the folder of versions in which `newest` is looked for.
      needed: whether there has to be a version. Where not, a pipeline has one shape before and after its first push:
        the outputs say by the custom property `is_none` that there is none, which the Evaluator, AtomicPusher,
        SkewDriftValidator and ValidationReport of this package know.
      spec: of the model that the pipeline is for; a version of another model is then refused when the component runs.
        None: any is taken.

    Raises:
      MonitorError: if `bundle_uri` is empty, or `none` where one is needed.

    """

    SPEC_CLASS = BaselineImporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        bundle_uri: str | RuntimeParameter,
        cache_key: str = "",
        *,
        serving_dir: str | RuntimeParameter = "",
        needed: bool = True,
        spec: ModelSpec | None = None,
    ) -> None:
        given_one = bool(bundle_uri) and not (needed and bundle_uri == step.NONE)
        require(given_one, step.BUNDLE_URI_KEY, "be the folder of a pushed version", bundle_uri)
        given = {
            step.BUNDLE_URI_KEY: bundle_uri,
            step.CACHE_KEY: cache_key or None,
            step.AS_OF_KEY: _as_of(bundle_uri) if isinstance(bundle_uri, str) else None,
            step.SERVING_DIR_KEY: serving_dir or None,
            step.NEEDED_KEY: None if needed else 0,
            step.SPEC_KEY: spec.to_json() if spec else None,
        }
        outputs = {key: types.Channel(type=each.type) for key, each in BaselineImporterSpec.OUTPUTS.items()}
        parameters = {key: value for key, value in given.items() if value is not None}
        super().__init__(spec=BaselineImporterSpec(**parameters, **outputs))


def _as_of(bundle_uri: str) -> str | None:
    """When the bundle was made, where it can be read already; None where it cannot, which the step says then.

    In an object store no bundle gives way to another in its place, and the machine that compiles may not reach it.
    """
    if is_address(bundle_uri):
        return None
    try:
        return baseline_bundle.read(bundle_uri).manifest.pushed_at
    except MonitorError:
        return None
