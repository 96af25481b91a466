"""Moves a run's artifacts into the page, and the page out."""

import os
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

from ..common.artifacts.sources import NodeFacts, RunFacts, Sources
from ..common.model_spec import ModelSpec
from ..common.pages.page_artifact import (
    HISTORY_PARAMETER,
    OUTCOME_PROPERTY,
    PAGE_FILE,
    STATES_PROPERTY,
    VERDICT_PROPERTY,
)
from ..common.records.span_history import SpanHistory
from ..common.strict_text import parse_json
from ..common.tfx_files import artifact_of, tfx_files
from . import build, facts, rendering

ANOMALIES_PREFIX = "anomalies_"
SINGLE_KEYS = (
    "statistics",
    "baseline_statistics",
    "previous_statistics",
    "training_statistics",
    "examples",
    "baseline_examples",
    "blessing",
    "evaluation",
    "pushed_model",
    "schema",
)
CONNECTED_KEY = "connected"
SPEC_KEY = "spec"
SPLIT_KEY = "split"
BASELINE_SPLIT_KEY = "baseline_split"
REPORT_KEY = "report"
Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Makes the page of a run.

    Inputs, those that the pipeline has: `statistics`, `baseline_statistics`, `previous_statistics`,
      `training_statistics` (`ExampleStatistics`); `examples`, `baseline_examples` (`Examples`); `blessing`,
      `evaluation`, `pushed_model`, `schema`; `anomalies_<n>` (`ExampleAnomalies`).

    Outputs:
      report: `HtmlReport` with `report.html`; the custom properties `outcome` (passed, failed or undecided),
        `states` (the verdict in a word, and `undecided` where any check is) and `verdict` (one sentence).

    Execution properties:
      connected: JSON object from each input that the pipeline connected to the component that makes it.
      spec: the model's `ModelSpec` as JSON; empty where it is not known.
      split, baseline_split: of the window and of the held-out examples.
      history: what was known of the span before, as JSON; empty where nothing was.

    An input that holds nothing, or that cannot be read, is a line of the page: `Do` does not fail for it.
    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        sources = sources_of(input_dict, exec_properties, self._run())
        page = build.build_page(sources, tfx_files())
        report = artifact_utils.get_single_instance(output_dict[REPORT_KEY])
        logging.info("%s", page.verdict.sentence)
        io_utils.write_string_file(os.path.join(report.uri, PAGE_FILE), rendering.render(page))
        report.set_string_custom_property(OUTCOME_PROPERTY, page.verdict.outcome.value)
        report.set_string_custom_property(STATES_PROPERTY, ",".join(page.verdict.states))
        report.set_string_custom_property(VERDICT_PROPERTY, page.verdict.sentence)

    def _run(self) -> RunFacts:
        """What the orchestrator says of the run, which is nothing on Kubeflow."""
        context = self._context
        info = getattr(context, "pipeline_info", None)
        return RunFacts(
            pipeline=str(info.id) if info is not None else "",
            run_id=str(getattr(context, "pipeline_run_id", None) or ""),
            versions=facts.installed_versions(),
        )


def sources_of(inputs: Artifacts, properties: dict[str, Any], run: RunFacts) -> Sources:
    """What the page is made from. What was connected and holds nothing is said."""
    connected: dict[str, str] = parse_json(properties.get(CONNECTED_KEY) or "{}")
    found = {key: artifact_of(artifacts[-1], connected.get(key, "")) for key, artifacts in inputs.items() if artifacts}
    lost = [f"{connected[key]} gave no {key.rstrip('_0123456789')}" for key in connected if key not in found]
    several = sorted((key for key in found if key.startswith(ANOMALIES_PREFIX)), key=lambda key: (len(key), key))
    spec = ModelSpec.from_json(properties[SPEC_KEY], SPEC_KEY) if properties.get(SPEC_KEY) else None
    parameters = {key: value for key, value in properties.items() if value and key != CONNECTED_KEY}
    history = SpanHistory.from_json(properties.get(HISTORY_PARAMETER) or "")
    return Sources(
        **{key: found[key] for key in SINGLE_KEYS if key in found},
        anomalies=tuple(found[key] for key in several),
        violations=(),
        split=properties[SPLIT_KEY],
        baseline_split=properties[BASELINE_SPLIT_KEY],
        class_names=spec.classes if spec else (),
        spec=spec,
        run=RunFacts(run.pipeline, run.run_id, run.started, run.versions, _nodes(parameters)),
        missing=tuple(lost),
        history=history,
    )


def _nodes(parameters: dict[str, Any]) -> tuple[NodeFacts, ...]:
    """The report's own node; what the others were told is in ML Metadata, where `model-monitor report` finds it."""
    return (NodeFacts("ValidationReport", "running", None, parameters),)
