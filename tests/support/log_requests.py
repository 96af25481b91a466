"""One log record read by itself."""

from typing import Any

from components.common.model_spec import ModelSpec
from components.serving_log_example_gen.prediction_log import Origin, read_contents
from components.serving_log_example_gen.requests import Request, read_requests
from components.serving_log_example_gen.sent_images import ParseExample


def read_request(
    log: Any,
    origin: Origin,
    spec: ModelSpec,
    fallback_id: bytes,
    parse_example: ParseExample,
    *,
    client_field: str = "",
) -> Request:
    """What becomes of one PredictionLog; the arguments are those of `read_contents`."""
    contents = read_contents(log, origin, spec, fallback_id, parse_example, client_field=client_field)
    return read_requests([contents], spec).requests[0]
