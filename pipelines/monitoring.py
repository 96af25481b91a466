"""The monitoring pipeline: one span of serving logs against the baseline of the model that is served. Wiring only.

One run looks at one span. It needs no resolver: what it compares with comes in as folders, the pushed version's and
that of the previous span's statistics, so that the same function serves every runner.
"""

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components import BaselineImporter, ImageStatisticsGen, ValidationReport
from components.common.model_spec import EMBEDDING, PROBABILITIES

from . import nodes
from .cifar10.config import default_spec
from .config import MonitoringConfig


def create_pipeline(
    config: MonitoringConfig, *, span: int, baseline_uri: str, model_version: int, previous_uri: str = ""
) -> Pipeline:
    """The pipeline for one span.

    Args:
      config: what the run was told.
      span: the number of the span, a folder under `config.serving_logs`.
      baseline_uri: folder of the pushed version whose baseline the span is compared with.
      model_version: the version whose answers are looked at; those of others are counted and left out.
      previous_uri: folder of the statistics of the span before; empty where there is none.

    """
    spec = default_spec()
    baseline = BaselineImporter(bundle_uri=baseline_uri)
    logs = nodes.serving_log_example_gen(
        spec, str(config.serving_logs_path), config.monitor, span=span, model_version=model_version
    )
    statistics = ImageStatisticsGen(
        examples=logs.outputs["examples"],
        schema=baseline.outputs["schema"],
        prediction_key=PROBABILITIES,
        embedding_key=EMBEDDING,
    )
    importers = _import_previous(previous_uri)
    previous = importers[0].outputs["result"] if importers else None
    compared = {
        "statistics": statistics.outputs["statistics"],
        "baseline_statistics": baseline.outputs["baseline_statistics"],
    }
    validator, estimator = nodes.checks(
        spec,
        config.monitor,
        compared,
        baseline.outputs["schema"],
        previous,
        examples=logs.outputs["examples"],
        labels_file=config.labels,
    )
    report = ValidationReport(
        **compared,
        anomalies=[node.outputs["anomalies"] for node in (logs, validator, estimator)],
        previous_statistics=previous,
        examples=logs.outputs["examples"],
        schema=baseline.outputs["schema"],
        class_names=spec.classes,
    )
    path = [baseline, logs, statistics, *importers, validator, estimator, report]
    return Pipeline(**nodes.pipeline_arguments(config), components=path)


def _import_previous(uri: str) -> list[BaseNode]:
    """An importer of the previous span's statistics, or nothing."""
    if not uri:
        return []
    properties = {"split_names": f'["{nodes.SERVING_SPLIT}"]'}
    importer = Importer(source_uri=uri, artifact_type=standard_artifacts.ExampleStatistics, properties=properties)
    return [importer.with_id("PreviousStatistics")]
