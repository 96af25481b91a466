"""TFDV's generators, and what goes with them, without what else its package imports.

A worker of Beam imports them when it starts. `tensorflow_data_validation` brings TensorFlow, TFX's readers and what
shows statistics in notebooks, three seconds of processor time; its generators use none of it. Whoever has imported the
package, or uses it later, has it whole.
"""

from ..common.lazy_packages import import_later

import_later("tensorflow")
import_later("tensorflow_data_validation", bare=True)

# isort: split

from tensorflow_data_validation.statistics import stats_impl  # noqa: E402 - behind what puts off the packages
from tensorflow_data_validation.statistics.generators.stats_generator import CombinerStatsGenerator  # noqa: E402
from tensorflow_data_validation.statistics.stats_options import StatsOptions  # noqa: E402
from tensorflow_metadata.proto.v0 import schema_pb2  # noqa: E402

__all__ = ["CombinerStatsGenerator", "default_generators"]


def default_generators(schema: schema_pb2.Schema | None) -> list[CombinerStatsGenerator]:
    """What TFDV describes features with by default.

    By sketches of frequent values: the exact way needs a sort of all values, which are as many as the examples where a
    feature is an id.
    """
    found: list[CombinerStatsGenerator] = stats_impl.get_generators(StatsOptions(schema=schema), in_memory=True)
    return found
