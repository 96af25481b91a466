"""Raises what the report of the run has as its verdict, unless that is a pass."""

import os
from collections.abc import Collection
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from ..common.errors import MonitorError
from ..common.pages.page_artifact import OUTCOME_PROPERTY, PAGE_FILE, STATES_PROPERTY, VERDICT_PROPERTY
from ..common.strict_text import parse_json
from ..common.verdict_words import FAIL_ON, Outcome, State, fails

REPORT_KEY = "report"
FAIL_ON_KEY = "fail_on"
Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Fails where the verdict is one of the words that it is to fail on, or is that of a model that did not pass.

    Inputs:
      report: ValidationReport's page, with the custom properties `outcome`, `states` and `verdict`.

    Execution properties:
      fail_on: the words of spans that fail, as a JSON list.

    Raises:
      MonitorError: what failed, or could not be decided, in one sentence, and where the page is.

    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        report = artifact_utils.get_single_instance(input_dict[REPORT_KEY])
        if not _fails(report, parse_json(exec_properties.get(FAIL_ON_KEY) or "null") or FAIL_ON):
            return
        sentence = report.get_string_custom_property(VERDICT_PROPERTY) or "The report has no verdict."
        raise MonitorError(f"{sentence} Report: {os.path.join(report.uri, PAGE_FILE)}")


def _fails(report: types.Artifact, fail_on: Collection[str]) -> bool:
    """What its properties say; those that say nothing, or what is no word, fail."""
    words = report.get_string_custom_property(STATES_PROPERTY)
    outcome = report.get_string_custom_property(OUTCOME_PROPERTY)
    if not words or outcome not in list(Outcome):
        return outcome != Outcome.PASSED.value
    if not all(word in list(State) for word in words.split(",")):
        return True
    return fails([State(word) for word in words.split(",")], Outcome(outcome), fail_on)
