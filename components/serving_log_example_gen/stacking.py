"""Arrays of many requests as one: what NumPy does takes as long for one row as for a hundred."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Member = TypeVar("Member")
Array = npt.NDArray[Any]

# An array of more bytes stays alone: a copy of it would take memory and save no time.
LARGE_BYTES = 1 << 20


def groups(
    members: Iterable[Member], *, key: Callable[[Member], Hashable], size: Callable[[Member], int]
) -> Iterator[list[Member]]:
    """Members with the same key, in their order, together; one of more than `LARGE_BYTES` alone."""
    together: dict[Hashable, list[Member]] = {}
    for number, member in enumerate(members):
        large = size(member) > LARGE_BYTES
        together.setdefault(("large", number) if large else key(member), []).append(member)
    yield from together.values()


def stacked(arrays: Sequence[Array]) -> Array:
    """Arrays `[N, ...]` of one type, and of one shape but for N, as one."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
