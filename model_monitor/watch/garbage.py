"""What windows leave in memory, and when it is given back.

What refers to itself in a circle goes when Python looks through all objects, which it does once those that are new
are a quarter of all. TFX and TensorFlow have three quarters of a million of them, so that the leavings of hundreds of
windows would stay. What is there after the first window stays for good, and is not looked through again; the rest is
looked through every hundred windows.
"""

import gc

WINDOWS = 100  # between two looks, of a hundredth of a second


class Garbage:
    """Counts the windows that were judged."""

    def __init__(self) -> None:
        self._windows = 0

    def judged(self) -> None:
        """A window was judged."""
        self._windows += 1
        if self._windows == 1:
            gc.collect()
            gc.freeze()
        elif self._windows % WINDOWS == 0:
            gc.collect()
