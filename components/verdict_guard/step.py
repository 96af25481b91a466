"""Raises what the report of the run has as its verdict, unless that is a pass."""

from collections.abc import Collection

from ..common.artifacts.files import Artifact
from ..common.errors import MonitorError
from ..common.pages.page_artifact import OUTCOME_PROPERTY, PAGE_FILE, STATES_PROPERTY, VERDICT_PROPERTY
from ..common.step import Step
from ..common.strict_text import parse_json
from ..common.verdict_words import FAIL_ON, Outcome, State, fails

REPORT_KEY = "report"
FAIL_ON_KEY = "fail_on"


def run(step: Step) -> None:
    """Fails where the verdict is one of the words that it is to fail on, or is that of a model that did not pass.

    Inputs:
      report: ValidationReport's page, with the custom properties `outcome`, `states` and `verdict`.

    Execution properties:
      fail_on: the words of spans that fail, as a JSON list.

    Raises:
      MonitorError: what failed, or could not be decided, in one sentence, and where the page is.

    """
    report = step.input(REPORT_KEY)
    if not _fails(report, parse_json(step.text(FAIL_ON_KEY) or "null") or FAIL_ON):
        return
    sentence = report.properties.get(VERDICT_PROPERTY) or "The report has no verdict."
    raise MonitorError(f"{sentence} Report: {report.known_as}/{PAGE_FILE}")


def _fails(report: Artifact, fail_on: Collection[str]) -> bool:
    """What its properties say; those that say nothing, or what is no word, fail."""
    words = str(report.properties.get(STATES_PROPERTY) or "")
    outcome = report.properties.get(OUTCOME_PROPERTY)
    if not words or outcome not in list(Outcome):
        return outcome != Outcome.PASSED.value
    if not all(word in list(State) for word in words.split(",")):
        return True
    return fails([State(word) for word in words.split(",")], Outcome(outcome), fail_on)
