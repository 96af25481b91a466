"""A record has values of the types that its class says, all the way down."""

import re
from dataclasses import dataclass
from enum import Enum

import pytest

from components.common.errors import MonitorError
from components.common.records.checked import checked


class Kind(Enum):
    ONE = "one"


@dataclass(frozen=True)
class Inner:
    value: float | None
    name: str = ""


@dataclass(frozen=True)
class Outer:
    parts: tuple[Inner, ...]
    kind: Kind = Kind.ONE
    count: int = 0


def test_what_is_as_it_should_be_is_given_back():
    record = Outer((Inner(0.5), Inner(None, "x"), Inner(3)))
    assert checked(record) is record


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (Outer((Inner("0.5"),)), "`parts.0.value` must be a valid number. Received: '0.5'"),
        (Outer((Inner(0.5), Inner(0.5, {"a": 1}))), "`parts.1.name` must be a valid string. Received: {'a': 1}"),
        (Outer((Inner(float("nan")),)), "`parts.0.value` must be a finite number. Received: nan"),
        (Outer((Inner(float("inf")),)), "`parts.0.value` must be a finite number. Received: inf"),
        (Outer((), "one"), "`kind` must be an instance of Kind. Received: 'one'"),
        (Outer((), count=True), "`count` must be a valid integer. Received: True"),
        (Outer((), count=1.0), "`count` must be a valid integer. Received: 1.0"),
        (Outer(({"value": 1.0},)), "`parts.0` must be an instance of Inner. Received: {'value': 1.0}"),
    ],
)
def test_the_first_value_that_is_not_is_named(record, said):
    with pytest.raises(MonitorError, match=re.escape(said)):
        checked(record)
