"""VerdictGuard: ends a run in failure unless its verdict is that every check passed."""

import json
from collections.abc import Collection

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from ..common.errors import require, require_known
from ..common.verdict_words import FAIL_ON, State
from . import step
from .executor import Executor

# What ValidationReport gives; the package is named in front, whatever it is called.
_TYPE = ".HtmlReport"


class VerdictGuardSpec(ComponentSpec):
    """A page in, nothing out. The input has the type of the channel that is given."""

    PARAMETERS = {step.FAIL_ON_KEY: ExecutionParameter(type=str)}  # noqa: RUF012 - as TFX declares it
    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012


class VerdictGuard(base_component.BaseComponent):
    """Fails, and with it the run, unless every check that ValidationReport was given passed.

    Validators write what they find and succeed; a pipeline in which nobody reads it goes on. With a guard, schedulers
    and the orchestrator's own alerts see a run that failed, after its report was made. The failed node is not cached,
    so that the same run fails again until the checks pass.

    Example:
      report = ValidationReport(anomalies=[example_validator.outputs["anomalies"]])
      guard = VerdictGuard(report.outputs["report"])

    Args:
      report: channel of ValidationReport's page. Which checks there are is said there: any `ExampleAnomalies`, those
        of TFX's own validators too, or a blessing.
      fail_on: the words of a span, or of any data, that fail: `changed`, `degraded`, `invalid`, `undecided`; all of
        them unless told otherwise. What is undecided fails beside any other word too, unless it is left out here. A
        model fails that was not pushed or not blessed.

    Raises:
      MonitorError: if `report` is no such channel, or `fail_on` has what is no such word.

    """

    SPEC_CLASS = VerdictGuardSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, report: types.BaseChannel, fail_on: Collection[str] = FAIL_ON) -> None:
        kind = getattr(getattr(report, "type", None), "TYPE_NAME", "")
        require(kind.endswith(_TYPE), step.REPORT_KEY, "be the output `report` of a ValidationReport", report)
        for word in fail_on:
            require_known(word, FAIL_ON, "fail_on")
        words = json.dumps(sorted(str(State(word).value) for word in fail_on))
        super().__init__(spec=_spec_of(report)(**{step.REPORT_KEY: report, step.FAIL_ON_KEY: words}))


def _spec_of(report: types.BaseChannel) -> type[VerdictGuardSpec]:
    inputs = {step.REPORT_KEY: ChannelParameter(type=report.type)}
    return type(VerdictGuardSpec.__name__, (VerdictGuardSpec,), {"INPUTS": inputs})
