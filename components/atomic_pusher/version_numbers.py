"""The number of a new version: the time, and higher than any that there is."""

import logging
import re
from collections.abc import Iterable

from ..common.baseline_bundle import LAST_VERSION, is_version
from ..common.errors import require

_logger = logging.getLogger(__name__)


def next_version(serving_dir: str, names: Iterable[str], now: float) -> int:
    """The number of a version that is about to be pushed: seconds since the epoch, or one more than the highest.

    What is called by a number that no server can read, for it does not fit 64 bits, is no version; the log says so.

    Args:
      serving_dir: the serving folder, for messages.
      names: of all that is in it. Files count too: a name that is taken by anything is taken.
      now: seconds since the epoch.

    Raises:
      MonitorError: the highest is the last that there can be.

    """
    numbers = [name for name in names if re.fullmatch(r"[0-9]+", name)]
    taken = {int(name): name for name in numbers if is_version(name)}
    beyond = sorted(name for name in numbers if not is_version(name))
    if beyond:
        _logger.warning("%s: %s is no version, for servers read numbers below 2^63 only", serving_dir, beyond[0])
    highest = max(taken, default=0)
    rule = f"leave room for a version below 2^63, and has {taken.get(highest)}"
    require(highest < LAST_VERSION, serving_dir, rule, taken.get(highest))
    return max(int(now), highest + 1)
