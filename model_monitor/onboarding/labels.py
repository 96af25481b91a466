"""Guesses about what Examples say besides their image: label, names of the classes, id, and the range of the pixels."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from components.common.class_names import Labels, whole_number
from components.common.label_numbering import Agreement

from .described import Examples, Feature
from .draft import Draft, in_words
from .evidence import Trial, best

Classes: TypeAlias = npt.NDArray[np.int64]
_WORDS_OF_LABELS = ("label", "class", "target", "y")
_WORDS_OF_IDS = ("id", "key", "filename", "file", "uuid", "name")
_MIN_DIFFERENT = 20  # values without a repetition before they are taken for ids


def guess_label(draft: Draft, examples: Examples, classes: int, predicted: Sequence[Classes] = ()) -> None:
    """Settles `label`, `labels_from` and `classes`.

    Args:
      draft: what is known.
      examples: N of them.
      classes: how many classes there are.
      predicted: the class of the largest score, [N], under each reading of the images; none where no model is asked.

    """
    image = draft.value("image.feature")
    features = {name: each for name, each in examples.features.items() if name != image and each.single}
    label = _label(draft, features, classes)
    if label is None and draft.questions:
        return
    first = _guess_numbering(draft, examples, features.get(label or ""), classes, predicted)
    _guess_classes(draft, examples, features, label, range(first, first + classes))


def guess_id(draft: Draft, examples: Examples) -> None:
    """Settles `id`, which does not have to be there."""
    taken = (draft.value("image.feature"), draft.value("label"))
    able = [name for name, each in examples.features.items() if name not in taken and _may_be_id(each, examples)]
    named = [name for name in able if _says(name, _WORDS_OF_IDS)]
    if draft.was_given("id"):
        draft.settle("id", None, "")
    elif len(named or able) == 1:
        [name] = named or able
        draft.settle("id", name, f"different in each of {examples.features[name].rows:,} Examples")
    elif able:
        draft.settle("id", None, f"left out: {in_words(named or able)} would do (--set id=NAME)")


def may_name_classes(feature: str) -> bool:
    """Whether a feature is called as labels are.

    >>> may_name_classes("image/class/label"), may_name_classes("image/height")
    (True, False)
    """
    return _says(feature, _WORDS_OF_LABELS)


def labels_of(examples: Examples, label: str, names: Sequence[str], first: int) -> npt.NDArray[np.int64]:
    """The class number of each example; -1 where there is none. `first` is the number of the first class."""
    labels = Labels(names, first)
    known = [None if value is None else labels.number(value) for value in examples.column(label)]
    return np.array([-1 if number is None else number for number in known], np.int64)


def guess_range(draft: Draft, trials: Mapping[str, Trial], settings: Mapping[str, object]) -> None:
    """Settles `image.range` of an input of floats.

    Args:
      draft: what is known.
      trials: how the model does under each range; empty without labels.
      settings: the value of `image.range` for each.

    """
    key = "image.range"
    if draft.was_given(key):
        draft.settle(key, None, "")
        return
    if not trials:
        why = "the input takes floating-point numbers, and without labels nothing says on which scale"
        draft.ask(key, why, dict.fromkeys(settings, ""))
        return
    reading = best(dict(trials))
    if reading is None:
        why = "the input takes floating-point numbers, and the model does as well on several scales"
        draft.ask(key, why, {name: str(trial) for name, trial in trials.items()})
        return
    others = "; ".join(f"{name}: {trial}" for name, trial in trials.items() if name != reading)
    draft.settle(key, settings[reading], f"the model does best on it: {trials[reading]} ({others})")


def _label(draft: Draft, features: Mapping[str, Feature], classes: int) -> str | None:
    if draft.was_given("label"):
        return draft.settle("label", None, "")
    able = {name: each for name, each in features.items() if _may_be_label(each, classes)}
    named = {name: str(each) for name, each in able.items() if may_name_classes(name)}
    counted = {name: said for name, said in named.items() if able[name].numbers} or named
    if not able:
        draft.settle("label", None, f"left out: no feature holds classes, numbers 0 to {classes - 1} or their names")
        return None
    return draft.choose(
        "label",
        counted or {name: str(each) for name, each in able.items()},
        only=f"the only such feature with values that can be {classes} classes",
        several=f"several features can be the label, of {classes} classes (null: there are no labels)",
        none="",
    )


def _guess_numbering(
    draft: Draft, examples: Examples, label: Feature | None, classes: int, predicted: Sequence[Classes]
) -> int:
    """Settles `labels_from`, unless it is the usual 0; returns it."""
    key = "labels_from"
    if draft.was_given(key):
        return int(draft.settle(key, None, ""))
    numbers = label.numbers if label is not None else None
    if label is None or numbers is None:
        return 0
    if numbers == (1, classes):
        return int(draft.settle(key, 1, f"{label.name} runs from 1 to {classes} for {classes} classes"))
    read = np.array([-1 if (number := whole_number(value)) is None else number for value in _texts(examples, label)])
    agreement = max((Agreement.of(each, read) for each in predicted), key=_agreed, default=Agreement())
    better = agreement.better_from(0, classes)
    if better is not None:
        why = agreement.words(0, classes).partition(": say")[0]
        background = ", as where the first score is of a background that labels leave out" if better < 0 else ""
        return int(draft.settle(key, better, f"{why}{background}"))
    if numbers[0] == 1 and agreement.right:
        draft.settle(key, 0, f"{label.name} has {numbers[0]} to {numbers[1]}: number 0 may be a background class")
    return 0


def _agreed(agreement: Agreement) -> int:
    return max(agreement.right, agreement.one_less, agreement.one_more)


def _texts(examples: Examples, label: Feature) -> list[Any]:
    values = examples.column(label.name)
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values]


def _guess_classes(
    draft: Draft, examples: Examples, features: Mapping[str, Feature], label: str | None, numbers: range
) -> None:
    classes = len(numbers)
    if draft.was_given("classes"):
        draft.settle("classes", None, "")
        return
    texts = features[label].texts if label is not None and label in features else ()
    if label and texts and features[label].numbers is None:
        if len(texts) == classes:
            draft.settle(
                "classes", list(texts), f"the different values of {label}, taken to be numbered by the alphabet"
            )
        else:
            why = f"{label} has {len(texts)} of the {classes} names: {in_words(texts[:10])}"
            draft.ask("classes", why, {"FILE": "a text file with a name a line, in the order of the scores"})
        return
    for name, feature in features.items():
        names = _names_beside(examples, label, name, numbers) if label and feature.texts else None
        if names:
            draft.settle("classes", names, f"{name} has one text for each number of {label}")
            return
    called = ["background" if number < 0 else str(number) for number in numbers]
    draft.settle("classes", called, "nothing names them, so they are called by their numbers (--set classes=FILE)")


def _names_beside(examples: Examples, label: str, name: str, numbers: range) -> list[str] | None:
    """The names that another feature gives the numbers of a label, where there is exactly one for each."""
    pairs = set(zip(examples.column(label), examples.column(name), strict=True))
    by_number = {number: text for number, text in pairs if isinstance(number, int) and isinstance(text, bytes)}
    alike = len(pairs) != len(numbers) or len(set(by_number.values())) != len(numbers)
    if alike or sorted(by_number) != list(numbers):
        return None
    return [by_number[number].decode() for number in numbers]


def _may_be_label(feature: Feature, classes: int) -> bool:
    """Whether a feature may be the label of a model: numbers from 0 or from 1, or names."""
    if feature.distinct < 2:
        return False
    if feature.numbers:
        low, high = feature.numbers
        return low >= 0 and (high < classes or (low, high) == (1, classes))
    return bool(feature.texts) and feature.distinct <= classes


def _may_be_id(feature: Feature, examples: Examples) -> bool:
    rows = len(examples.rows)
    whole = feature.single and feature.rows == feature.distinct == rows
    return whole and rows >= _MIN_DIFFERENT and bool(feature.texts or feature.whole)


def _says(name: str, words: Sequence[str]) -> bool:
    parts = name.lower().replace("/", "_").replace("-", "_").replace(".", "_").split("_")
    return any(word in parts for word in words)
