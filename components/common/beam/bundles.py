"""What a function gives when all of a bundle has been seen."""

from typing import Any

from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue


def at_the_end(value: Any) -> WindowedValue:
    """A value as `finish_bundle` must give it, which has no element that it belongs to."""
    window = GlobalWindow()
    return WindowedValue(value, window.max_timestamp(), (window,))
