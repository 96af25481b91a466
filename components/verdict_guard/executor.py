"""Raises what the report of the run has as its verdict, unless that is a pass."""

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from ..common.errors import MonitorError
from ..common.pages.page_artifact import OUTCOME_PROPERTY, PAGE_FILE, VERDICT_PROPERTY
from ..common.verdict import Outcome

REPORT_KEY = "report"
Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Fails unless every check of the run passed.

    Inputs:
      report: ValidationReport's page, with the custom properties `outcome` and `verdict`.

    Raises:
      MonitorError: what failed, or could not be decided, in one sentence, and where the page is.

    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        report = artifact_utils.get_single_instance(input_dict[REPORT_KEY])
        if report.get_string_custom_property(OUTCOME_PROPERTY) == Outcome.PASSED.value:
            return
        sentence = report.get_string_custom_property(VERDICT_PROPERTY) or "The report has no verdict."
        raise MonitorError(f"{sentence} Report: {os.path.join(report.uri, PAGE_FILE)}")
