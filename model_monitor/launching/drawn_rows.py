"""Which rows of a span's logs another `one_example_per` takes, by the code that reads them in the pipeline."""

import tempfile
from collections.abc import Mapping

from components.common.artifacts.tf_example import parse_example
from components.common.errors import MonitorError
from components.common.model_spec import ID
from components.serving_log_example_gen.read_options import MAX_BROKEN_FRACTION, MAX_ROWS, MODEL_VERSION, ReadOptions
from components.serving_log_example_gen.subsampling import ONE_EXAMPLE_PER
from components.serving_log_example_gen.tally import Tally


def drawn_ids(parameters: Mapping[str, int | float | str], one_example_per: str) -> frozenset[str]:
    """The ids of the rows, of the logs that a run has read, as far as they are there still.

    Args:
      parameters: of the run's ServingLogExampleGen.
      one_example_per: what is to be taken, whatever the run was told.

    Raises:
      MonitorError: the logs are gone.

    """
    from components.serving_log_example_gen.convert_logs import convert_here  # noqa: PLC0415 - imports TFX
    from components.serving_log_example_gen.executor import log_files  # noqa: PLC0415 - likewise

    whole = {name: int(parameters[name]) for name in (MODEL_VERSION, MAX_ROWS)}
    typed = {**parameters, **whole, MAX_BROKEN_FRACTION: float(parameters[MAX_BROKEN_FRACTION])}
    options = ReadOptions.from_properties({**typed, ONE_EXAMPLE_PER: one_example_per})
    try:
        files = log_files(typed).files
    except OSError as error:
        raise MonitorError(f"its logs cannot be read: {error.strerror or error}") from error
    if not files:
        raise MonitorError("its logs are not there any more")
    with tempfile.TemporaryDirectory() as dead_letters:
        rows = convert_here(files, options, dead_letters, Tally())
        return frozenset(str(parse_example(row, [ID])[ID][0], "utf-8", "surrogateescape") for row in rows)  # type: ignore[arg-type]
