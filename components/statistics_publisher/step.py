"""Copies the statistics of a span to where the runs after it find them."""

from absl import logging

from ..common import published_statistics
from ..common.errors import require
from ..common.lasting import VOLUMES_KEY, require_lasting
from ..common.pages.page_artifact import STATES_PROPERTY
from ..common.published_statistics import Published
from ..common.step import Step

STATISTICS_KEY = "statistics"
ANOMALIES_KEY = "anomalies"
SCHEMA_KEY = "schema"
REPORT_KEY = "report"
PUBLISHED_KEY = "published"
SPLIT_KEY = "split"
NONE = "none"
_NOT_COMPARED = -1.0  # the p-value of a window that SkewDriftValidator could compare with nothing


def run(step: Step) -> None:
    """Publishes the statistics of a span, unless it had too little to be compared with.

    Inputs:
      statistics: the window's `ExampleStatistics`.
      anomalies: SkewDriftValidator's; its custom property `p_value` is -1 where the window could not be compared.
      schema: BaselineImporter's; its custom property `bundle_uri` names the version whose answers they are.
      report: ValidationReport's; its custom property `states` is the verdict in words.

    Execution properties:
      published: the folder that statistics are published to; `none` for nowhere.
      split: of the statistics.
      volumes: where the step's file system ends with it, the folders that last, as a JSON list; left out elsewhere.

    Raises:
      MonitorError: the folder cannot be written to, or would be gone with the step.

    """
    folder = step.text(PUBLISHED_KEY)
    if folder in ("", NONE):
        return
    require_lasting(folder, step.text(VOLUMES_KEY), PUBLISHED_KEY)
    statistics, anomalies = step.input(STATISTICS_KEY), step.input(ANOMALIES_KEY)
    if float(anomalies.properties.get("p_value", _NOT_COMPARED)) == _NOT_COMPARED:
        logging.info("Nothing is published: the window had too little to be compared with.")
        return
    require("span" in statistics.properties, STATISTICS_KEY, "be of a span with a number", statistics.known_as)
    told = Published(
        span=statistics.span,
        name="",
        version=str(step.input(SCHEMA_KEY).properties.get("bundle_uri", "")),
        states=tuple(str(step.input(REPORT_KEY).properties.get(STATES_PROPERTY) or "").split(",")),
        uri=statistics.known_as,
    )
    target = published_statistics.publish(folder, statistics.uri, step.text(SPLIT_KEY), told)
    logging.info("Published to %s.", target)
