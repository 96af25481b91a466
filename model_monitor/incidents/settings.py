"""What makes an incident severe: the section `incidents` of a configuration."""

from typing import Annotated

from pydantic import Field

from components.common.settings import Section


class IncidentsConfig(Section):
    """How incidents are told (docs/incidents.md)."""

    # windows in a row that could not be decided, after which that is a warning
    undecided_windows: Annotated[int, Field(ge=1)] = 3
    # hours of such windows, after which it is one whatever their number
    undecided_hours: Annotated[float, Field(gt=0)] = 24.0
