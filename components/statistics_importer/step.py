"""Copies statistics that another run has made into an artifact of this one."""

from ..common import published_statistics
from ..common.artifacts.names import COPIED_FROM, IS_NONE, SPLIT_PREFIX
from ..common.errors import MonitorError, require
from ..common.object_store.files import files_for
from ..common.step import Step

STATISTICS_KEY = "statistics"
WINDOW_KEY = "window"
SCHEMA_KEY = "schema"
URI_KEY = "statistics_uri"
PUBLISHED_KEY = "published"
FINE_KEY = "fine"
SPLIT_KEY = "split"
SPAN_KEY = "span"
CACHE_KEY = "cache_key"
NONE = "none"
NEWEST = "newest"


def run(step: Step) -> None:
    """Imports statistics.

    Inputs, where `newest` may be asked for:
      window: the statistics of the span that is evaluated: those of an earlier one are wanted.
      schema: BaselineImporter's, whose custom property `bundle_uri` names the version: statistics of another one's
        answers are passed over.

    Outputs:
      statistics: `ExampleStatistics`, with the one split, and the span where it is known. Where there are none, its
        custom property `is_none` is 1. Of published ones `copied_from` names the artifact that they are a copy of.

    Execution properties:
      statistics_uri: the folder of an artifact `ExampleStatistics`, or of a published span, also in an object store;
        `newest` for the newest in `published`; `none` for none.
      published: the folder that StatisticsPublisher publishes to; left out where there is none.
      fine: 1 where `newest` is to have been fine.
      split: the split that it must have.
      span: of the examples that it describes; left out where that is not known.
      cache_key: of TFX's cache alone; not read.

    Raises:
      MonitorError: the folder does not have the split, or `newest` is asked for and nothing is published anywhere.

    """
    output, split = step.output(STATISTICS_KEY), step.text(SPLIT_KEY)
    found = _chosen(step)
    if found is None:
        output.properties[IS_NONE] = 1
        output.split_names = []
        return
    uri, output.span, origin = found
    folder = f"{SPLIT_PREFIX}{split}"
    if folder not in files_for(uri, step.files).listing(uri):
        raise MonitorError(f"`{URI_KEY}` must be a folder of statistics, with a folder {folder}. Received: {uri}")
    step.copy_tree(f"{uri.rstrip('/')}/{folder}", output.path(folder))
    output.split_names = [split]
    if origin:
        output.properties[COPIED_FROM] = origin


def _chosen(step: Step) -> tuple[str, int | None, str] | None:
    """Where the statistics are, of which span, and which artifact they are a copy of, "" where they are no copy."""
    uri = step.text(URI_KEY)
    if uri in ("", NONE):
        return None
    if uri == NEWEST:
        return _newest(step)
    told = published_statistics.at(uri)
    if told is not None:
        return f"{uri.rstrip('/')}/{told.name}", told.span, told.uri
    return uri, step.parameters.get(SPAN_KEY), ""  # type: ignore[return-value]


def _newest(step: Step) -> tuple[str, int | None, str] | None:
    folder = step.text(PUBLISHED_KEY)
    known = folder not in ("", NONE)
    require(known, PUBLISHED_KEY, f"be where statistics are published, for `{NEWEST}` to be looked for there", folder)
    window, version = step.input(WINDOW_KEY), str(step.input(SCHEMA_KEY).properties.get("bundle_uri", ""))
    found = published_statistics.find(folder, window.span, version, fine=bool(step.parameters.get(FINE_KEY)))
    return None if found is None else (found[0], found[1].span, found[1].uri)
