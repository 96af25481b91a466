"""Copies statistics that another run has made into an artifact of this one."""

from ..common.artifacts.names import IS_NONE, SPLIT_PREFIX
from ..common.errors import MonitorError
from ..common.object_store.files import files_for
from ..common.step import Step

STATISTICS_KEY = "statistics"
URI_KEY = "statistics_uri"
SPLIT_KEY = "split"
SPAN_KEY = "span"
CACHE_KEY = "cache_key"
NONE = "none"


def run(step: Step) -> None:
    """Imports statistics.

    Outputs:
      statistics: `ExampleStatistics`, with the one split. Where there are none, its custom property `is_none` is 1.

    Execution properties:
      statistics_uri: the folder of an artifact `ExampleStatistics`, also one in an object store; `none` for none.
      split: the split that it must have.
      span: of the examples that it describes; left out where that is not known.
      cache_key: of TFX's cache alone; not read.

    Raises:
      MonitorError: the folder does not have the split.

    """
    output, uri, split = step.output(STATISTICS_KEY), step.text(URI_KEY), step.text(SPLIT_KEY)
    if uri in ("", NONE):
        output.properties[IS_NONE] = 1
        output.split_names = []
        return
    folder = f"{SPLIT_PREFIX}{split}"
    if folder not in files_for(uri, step.files).listing(uri):
        raise MonitorError(f"`{URI_KEY}` must be a folder of statistics, with a folder {folder}. Received: {uri}")
    step.copy_tree(f"{uri.rstrip('/')}/{folder}", output.path(folder))
    output.split_names = [split]
    output.span = step.parameters.get(SPAN_KEY)  # type: ignore[assignment]
