"""Which windows are made: the suites of shifts, by name."""

from dataclasses import dataclass

CLEAN = "clean"
SIZES = (10, 20, 50, 100, 200, 500, 1000)
LARGE = 10_000
FRACTIONS = (0.1, 0.5, 1.0)
SEVERITY_SIZES = (10, 20, 50, 100, 200, 500, 1000, 2000)
# Single severity 3 of model_monitor/traffic/shifts.py, and one class missing.
NINE = (
    "gaussian_noise",
    "gaussian_blur",
    "brightness",
    "contrast",
    "saturation",
    "jpeg",
    "rotation",
    "translation",
)
NINE_SEVERITY = 3
SEVERITIES = (1, 2, 3, 4, 5)
PIXEL_CORRUPTIONS = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "gaussian_blur",
    "motion_blur",
    "brightness",
    "darkness",
    "contrast",
    "saturation",
    "jpeg",
    "pixelate",
    "rotation",
    "translation",
    "zoom",
)
CLASS_CORRUPTIONS = ("class_imbalance", "class_dropout")


@dataclass(frozen=True)
class Shift:
    """How a window differs from the pool.

    Attributes:
      name: What the results call it.
      variant: The table whose rows the shifted images have, `CLEAN` where no pixel changes.
      fraction: The chance of each image to be shifted.
      dropped: The chance of each image of the dropped class to be left out of the window.
      dropped_class: That class; -1: a class drawn in each trial.
      only: Whether the window has images of class 0 alone.
      classes: A shift of classes of model_monitor/traffic/shifts.py, "" for none.
      severity: Of `classes`.

    """

    name: str
    variant: str = CLEAN
    fraction: float = 1.0
    dropped: float = 0.0
    dropped_class: int = 0
    only: bool = False
    classes: str = ""
    severity: int = 1


NULL = Shift("none", fraction=0.0)


def failing_loudly() -> list[Shift]:
    """The shifts of Rabanser et al. 2019 but for the adversarial one, which needs images made against a model."""
    pixels = ("noise_small", "noise_medium", "noise_large", "image_small", "image_medium", "image_large")
    found = [Shift(f"{name} {f:g}", name, f) for name in pixels for f in FRACTIONS]
    found += [Shift(f"knock_out {f:g}", dropped=f) for f in FRACTIONS]
    found += [Shift(f"image_medium 0.5 + knock_out {f:g}", "image_medium", 0.5, dropped=f) for f in FRACTIONS]
    found += [Shift(f"only_zero + image_medium {f:g}", "image_medium", f, only=True) for f in FRACTIONS]
    return found


def nine_shifts(fraction: float) -> list[Shift]:
    """Nine everyday shifts, each of them in a fraction of the images."""
    found = [Shift(name, variant(name, NINE_SEVERITY), fraction) for name in NINE]
    return [*found, Shift("one class missing", dropped=fraction, dropped_class=-1)]


def severity_shifts() -> list[Shift]:
    """Every corruption of traffic/shifts.py that bytes can show, at every severity, in all images of the window."""
    found = [Shift(f"{name} {s}", variant(name, s)) for name in PIXEL_CORRUPTIONS for s in SEVERITIES]
    found.append(Shift("channel_swap 1", variant("channel_swap", 1)))
    return found + [Shift(f"{name} {s}", classes=name, severity=s) for name in CLASS_CORRUPTIONS for s in SEVERITIES]


def variant(corruption: str, severity: int) -> str:
    """The name of the table of a corruption of model_monitor/traffic/shifts.py.

    >>> variant("jpeg", 2)
    'jpeg-2'
    """
    return f"{corruption}-{severity}"
