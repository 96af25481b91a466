"""Which span an ExampleGen is to read, as a run says it: by a number, which TFX takes only inside a message."""

import json
from dataclasses import replace

from components.common.errors import broken

from .executor_input import ExecutorInput

_RANGE = "range_config"  # of every ExampleGen: a message RangeConfig as JSON
_NEWEST = ("newest", "")


def with_range(given: ExecutorInput) -> ExecutorInput:
    """The same with a range of spans as TFX reads it.

    Raises:
      MonitorError: it is neither the number of a span, nor `newest`, nor a message.

    """
    said = given.parameters.get(_RANGE)
    if not isinstance(said, str) or said.lstrip().startswith("{"):
        return given
    others = {key: value for key, value in given.parameters.items() if key != _RANGE}
    if said in _NEWEST:
        return replace(given, parameters=others)
    return replace(given, parameters={**others, _RANGE: _one(said)})


def _one(said: str) -> str:
    """The one span.

    >>> _one("7")
    '{"static_range": {"start_span_number": 7, "end_span_number": 7}}'
    """
    if not (said.isascii() and said.isdecimal()):
        raise broken("span", "be the number of a span, or newest", said)
    return json.dumps({"static_range": {"start_span_number": int(said), "end_span_number": int(said)}})
