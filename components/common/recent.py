"""The last few results, for whoever asks for the same again: a bounded memory in a process that judges many windows."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Recent(Generic[Result]):
    """Remembers the results that were asked for last, `most` of them. What it gives is shared: nobody may change it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[Hashable, Result] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Result]) -> Result:
        """What is remembered under a key, or else what `make` gives, which is remembered then; an error is not."""
        if key in self._known:
            self._known.move_to_end(key)
        else:
            self._known[key] = make()
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return self._known[key]
