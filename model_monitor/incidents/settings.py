"""What makes an incident severe: the section `incidents` of a configuration."""

from typing import Annotated

from pydantic import Field, model_validator

from components.common.errors import MonitorError
from components.common.sequential.budget import Budget
from components.common.settings import Section


class IncidentsConfig(Section):
    """How incidents are told (docs/incidents.md)."""

    # windows in a row that could not be decided, after which that is a warning
    undecided_windows: Annotated[int, Field(ge=1)] = 3
    # hours of such windows, after which it is one whatever their number
    undecided_hours: Annotated[float, Field(gt=0)] = 24.0
    # how many false alarms are bearable, for the tests of many windows together: "1 in 30 days", "1 in 720 windows";
    # empty: windows are looked at one by one alone
    bearable: str = "1 in 720 windows"
    windows_per_day: Annotated[float, Field(gt=0)] | None = None  # needed where `bearable` is of a time

    @model_validator(mode="after")
    def _bearable(self) -> "IncidentsConfig":
        try:
            self.budget  # noqa: B018 - raises
        except MonitorError as error:
            raise ValueError(str(error).partition(". Received")[0].replace("`bearable` ", "")) from error
        return self

    @property
    def budget(self) -> Budget | None:
        """What is bearable; None where nothing is said. Raises `MonitorError` where that is none."""
        return Budget.of(self.bearable, windows_per_day=self.windows_per_day) if self.bearable else None
