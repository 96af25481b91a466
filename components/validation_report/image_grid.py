"""Which images to show, and the images: typical ones of the baseline, unusual ones of the window, by feature."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..common.errors import MonitorError
from ..common.image_spec import ImageSpec
from ..common.statistics.feature_sample import FeatureSample
from .page import Picture, Strip
from .stored_images import png

FEATURES_SHOWN = 4
PICTURES = 6
_CLIP = 10.0  # standard deviations: beyond, one feature would decide alone
_NORMAL = 0.6745  # of a normal distribution, the median absolute deviation in standard deviations

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """Rows of a sample to be shown beside each other. `values` are said below the images."""

    title: str
    group: str
    window: bool
    ids: tuple[str, ...]
    values: tuple[str, ...]


@dataclass(frozen=True)
class _Sides:
    """Baseline and window in the baseline's own units: median 0, spread 1; [rows, features]."""

    names: tuple[str, ...]
    baseline: Floats
    window: Floats


def choose(
    baseline: FeatureSample, window: FeatureSample | None, features: Sequence[str], class_names: Sequence[str]
) -> list[Choice]:
    """The rows to show: of a run without a window, the unusual ones are held-out examples themselves.

    Args:
      baseline: sample of the held-out examples.
      window: sample of the window, or None.
      features: what moved, the most first; where nothing did, the features with the farthest outliers are taken.
      class_names: to name predictions and labels.

    """
    shown = baseline if window is None else window
    sides = _standardised(baseline, shown)
    if not sides.names:
        return []
    what = "held-out examples" if window is None else "window"
    far = _distance(sides.window, sides.names)
    near = _distance(sides.baseline, sides.names)
    typical, unusual = np.argsort(near, kind="stable")[:PICTURES], np.argsort(-far, kind="stable")[:PICTURES]
    described = _Describer(class_names)
    chosen = [
        Choice("Typical of the baseline", "Overall", False, *described.rows(baseline, typical)),
        Choice(f"Most unusual of the {what}", "Overall", window is not None, *described.rows(shown, unusual)),
    ]
    if window is None:
        chosen += _confident_and_wrong(baseline, described)
    known = [name for name in features if name in sides.names] or _farthest(sides)
    for name in known[:FEATURES_SHOWN]:
        chosen += _by_feature(name, sides, baseline, shown, window is not None, what)
    return chosen


def pictures(
    choices: Iterable[Choice], images: dict[bool, dict[str, bytes]], image: ImageSpec | None = None
) -> tuple[Strip, ...]:
    """The images of the chosen rows that there are.

    Args:
      choices: the rows.
      images: as they are stored, by side (is it the window's?) and id.
      image: how they are stored, where that is known.

    """
    strips = []
    for choice in choices:
        found = [
            _picture(images.get(choice.window, {})[identity], identity, value, image)
            for identity, value in zip(choice.ids, choice.values, strict=True)
            if identity in images.get(choice.window, {})
        ]
        shown = tuple(each for each in found if each is not None)
        if shown:
            strips.append(Strip(choice.title, shown, choice.group, choice.window))
    return tuple(strips)


def _picture(content: bytes, identity: str, value: str, image: ImageSpec | None) -> Picture | None:
    file = png(content, image)
    return None if file is None else Picture(*file, label=identity, value=value)


def _standardised(baseline: FeatureSample, window: FeatureSample) -> _Sides:
    """The features that both have and that vary, less the baseline's median, in its robust standard deviations."""
    shared = [n for n in baseline.names if n in window.names and not n.endswith("_corrupt")]
    sides = [s.values[:, [s.names.index(n) for n in shared]].astype(np.float64) for s in (baseline, window)]
    usable = np.isfinite(sides[0]).any(axis=0) if len(sides[0]) else np.zeros(len(shared), bool)
    if not usable.any():
        return _Sides((), *sides)
    middle, scale = np.zeros(len(shared)), np.ones(len(shared))
    middle[usable] = np.nanmedian(sides[0][:, usable], axis=0)
    scale[usable] = np.nanmedian(np.abs(sides[0][:, usable] - middle[usable]), axis=0) / _NORMAL
    # half of the values are the same: measure what the others do
    scale[usable] = np.where(scale[usable] > 0, scale[usable], np.nanstd(sides[0][:, usable], axis=0))
    usable &= scale > 0
    names = tuple(name for name, kept in zip(shared, usable, strict=True) if kept)
    return _Sides(names, *((side[:, usable] - middle[usable]) / scale[usable] for side in sides))


def _distance(values: Floats, names: Sequence[str]) -> Floats:
    """How far each row is from the middle: of what the image looks like, if that was measured, else of everything."""
    looks = [i for i, name in enumerate(names) if name.startswith("image_")] or list(range(len(names)))
    squares = np.square(np.clip(np.nan_to_num(values[:, looks]), -_CLIP, _CLIP))
    return np.asarray(np.sqrt(squares.mean(axis=1)))


def _farthest(sides: _Sides) -> list[str]:
    """Features of images, the one with the farthest outliers first."""
    if not len(sides.window):
        return []
    reach = np.quantile(np.abs(np.nan_to_num(sides.window)), 0.995, axis=0)
    order = np.argsort(-reach, kind="stable")
    return [sides.names[i] for i in order if sides.names[i].startswith("image_")]


def _by_feature(  # noqa: PLR0913, PLR0917 - both sides, standardised and as they were
    name: str, sides: _Sides, baseline: FeatureSample, shown: FeatureSample, window: bool, what: str
) -> list[Choice]:
    """Examples in the middle of the baseline, and those farthest out in the direction in which the window moved."""
    column = sides.names.index(name)
    middle = np.argsort(np.abs(np.nan_to_num(sides.baseline[:, column], nan=np.inf)), kind="stable")[:PICTURES]
    values = np.nan_to_num(sides.window[:, column], nan=0.0)
    up = float(np.mean(np.clip(values, -_CLIP, _CLIP))) >= 0 if len(values) else True
    ends = np.argsort(-values if up else values, kind="stable")[:PICTURES]
    said = "highest" if up else "lowest"
    return [
        Choice("In the middle of the baseline", name, False, *_with_value(baseline, middle, name)),
        Choice(f"The {said} of the {what}", name, window, *_with_value(shown, ends, name)),
    ]


def _with_value(
    sample: FeatureSample, rows: npt.NDArray[np.intp], name: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    column = sample.names.index(name)
    return tuple(sample.ids[i] for i in rows), tuple(f"{sample.values[i, column]:.3g}" for i in rows)


def _confident_and_wrong(sample: FeatureSample, described: "_Describer") -> list[Choice]:
    if sample.labels is None or sample.classes is None or sample.probabilities is None:
        return []
    wrong = (sample.labels >= 0) & (sample.classes >= 0) & (sample.labels != sample.classes)
    confidence = np.where(wrong, np.nan_to_num(sample.probabilities).max(axis=1, initial=0.0), -1.0)
    rows = np.argsort(-confidence, kind="stable")[: min(PICTURES, int(wrong.sum()))]
    return [Choice("Most confident and wrong", "Overall", False, *described.rows(sample, rows))] if len(rows) else []


@dataclass(frozen=True)
class _Describer:
    """What is said below an image: what the model took it for, and what it is where that is known."""

    class_names: Sequence[str]

    def rows(
        self, sample: FeatureSample, rows: Iterable[int | np.integer[npt.NBitBase]]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        chosen = [int(row) for row in rows]
        return tuple(sample.ids[row] for row in chosen), tuple(self._row(sample, row) for row in chosen)

    def _row(self, sample: FeatureSample, row: int) -> str:
        predicted = -1 if sample.classes is None else int(sample.classes[row])
        label = -1 if sample.labels is None else int(sample.labels[row])
        if predicted < 0:
            return "" if label < 0 else self._name(label)
        scores = sample.probabilities
        sure = f" {float(np.nanmax(scores[row])):.0%}" if scores is not None and np.isfinite(scores[row]).any() else ""
        told = f"{self._name(predicted)}{sure}"
        return told if label in (-1, predicted) else f"{told}, is {self._name(label)}"

    def _name(self, number: int) -> str:
        return self.class_names[number] if number < len(self.class_names) else f"class {number}"


def unreadable(error: MonitorError, what: str) -> str:
    """A line for images that are not shown."""
    return f"Images of the {what} are not shown: {error}"
