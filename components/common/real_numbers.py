"""Numbers of any type, as float64, before anything is asked of them. NumPy only.

What must lie within bounds is asked whether it is inside, never whether it is outside: NaN is below nothing and above
nothing, and NumPy knows neither infinities nor order of the types besides its own, such as bfloat16 and float8.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import MonitorError

_MORE_NUMBERS = "ml_dtypes"  # the package of bfloat16, float8 and the like; only those who have such need to have it


def as_floats(values: npt.ArrayLike, what: str = "the values") -> npt.NDArray[np.float64]:
    """Real numbers of any type as float64, in the same shape.

    Raises:
      MonitorError: they are complex, strings, or no numbers at all; NumPy would drop a part, or read "0.5" as a number.

    >>> import ml_dtypes
    >>> as_floats(np.array([1, np.nan], ml_dtypes.float8_e5m2)).tolist()
    [1.0, nan]

    """
    given = np.asarray(values)
    known = given.dtype.kind in "biuf" or given.dtype.type.__module__ == _MORE_NUMBERS
    if not known:
        raise MonitorError(f"{what} must be real numbers. Received: {_kind(given)}")
    with np.errstate(over="ignore", invalid="ignore"):
        return given.astype(np.float64)


def not_finite(values: npt.ArrayLike, what: str = "the values") -> npt.NDArray[np.bool_]:
    """Which numbers are NaN or an infinity. Raises `MonitorError` as `as_floats`."""
    return ~(np.abs(as_floats(values, what)) < np.inf)


def _kind(values: npt.NDArray[Any]) -> str:
    return "strings" if values.dtype.kind in "OSU" else f"{values.dtype.name}"
