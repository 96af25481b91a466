"""Records of what somebody may have changed: every value is of the type that its class says, all the way down."""

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ..errors import MonitorError
from ..settings import shown

Record = TypeVar("Record")


def checked(record: Record) -> Record:
    """The record itself, a dataclass.

    Raises:
      MonitorError: one of its values, or of what it holds, is of another type, NaN or infinite. The message names the
        first one.

    """
    try:
        _adapter(cast(Hashable, type(record))).validate_python((record,))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"][1:]))
        rule = first["msg"].replace("Input should", "must")
        raise MonitorError(f"`{place}` {rule}. Received: {shown(first['input'])}") from error
    return record


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    strict = ConfigDict(strict=True, allow_inf_nan=False, revalidate_instances="always", arbitrary_types_allowed=True)
    return TypeAdapter(tuple[kind], config=strict)  # type: ignore[valid-type] # it takes no config for a class alone
