"""Moves a run's artifacts into the page, and the page out."""

from dataclasses import replace

from absl import logging

from ..common.artifacts.files import Properties
from ..common.artifacts.sources import NodeFacts, RunFacts, Sources
from ..common.installed import installed_versions
from ..common.model_spec import ModelSpec
from ..common.pages.page_artifact import (
    HISTORY_PARAMETER,
    OUTCOME_PROPERTY,
    PAGE_FILE,
    STATES_PROPERTY,
    VERDICT_PROPERTY,
)
from ..common.records.span_history import SpanHistory
from ..common.step import Inputs, Step
from ..common.strict_text import parse_json
from . import build, rendering

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


def run(step: Step) -> None:
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

    An input that holds nothing, or that cannot be read, is a line of the page: this does not fail for it.
    """
    facts = RunFacts(step.pipeline, step.run_id, versions=installed_versions())
    page = build.build_page(sources_of(step.inputs, step.parameters, facts), step.files)
    report = step.output(REPORT_KEY)
    logging.info("%s", page.verdict.sentence)
    step.write_text(report.path(PAGE_FILE), rendering.render(page))
    report.properties |= {
        OUTCOME_PROPERTY: str(page.verdict.outcome.value),
        STATES_PROPERTY: ",".join(page.verdict.states),
        VERDICT_PROPERTY: page.verdict.sentence,
    }


def sources_of(inputs: Inputs, properties: Properties, run: RunFacts) -> Sources:
    """What the page is made from. What was connected and holds nothing is said."""
    connected: dict[str, str] = parse_json(_text(properties, CONNECTED_KEY) or "{}")
    given = {key: artifacts[-1] for key, artifacts in inputs.items() if artifacts}
    none = {key for key, artifact in given.items() if artifact.is_none}  # as if they were not connected
    found = {key: replace(each, producer=connected.get(key, "")) for key, each in given.items() if key not in none}
    lost = [f"{connected[key]} gave no {key.rstrip('_0123456789')}" for key in connected if key not in given]
    several = sorted((key for key in found if key.startswith(ANOMALIES_PREFIX)), key=lambda key: (len(key), key))
    spec = ModelSpec.from_json(text, SPEC_KEY) if (text := _text(properties, SPEC_KEY)) else None
    parameters = {key: value for key, value in properties.items() if value and key != CONNECTED_KEY}
    history = SpanHistory.from_json(_text(properties, HISTORY_PARAMETER))
    return Sources(
        **{key: found[key] for key in SINGLE_KEYS if key in found},
        anomalies=tuple(found[key] for key in several),
        violations=(),
        split=_text(properties, SPLIT_KEY),
        baseline_split=_text(properties, BASELINE_SPLIT_KEY),
        class_names=spec.classes if spec else (),
        spec=spec,
        run=RunFacts(run.pipeline, run.run_id, run.started, run.versions, _nodes(parameters)),
        missing=tuple(lost),
        history=history,
    )


def _text(properties: Properties, key: str) -> str:
    return str(properties.get(key) or "")


def _nodes(parameters: Properties) -> tuple[NodeFacts, ...]:
    """The report's own node; what the others were told is in ML Metadata, where `model-monitor report` finds it."""
    return (NodeFacts("ValidationReport", "running", None, parameters),)
