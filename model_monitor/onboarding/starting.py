"""The spec of a model that is yet to be trained, guessed from labelled Examples alone."""

from collections.abc import Mapping
from typing import Any

from components.common.errors import MonitorError
from components.served_model.tensors import STRING, TensorInfo

from .described import Examples, Feature, Tensor
from .draft import Draft
from .images import guess_feature, guess_pixels
from .labels import guess_id, guess_label, may_name_classes

_OURS = "as the project's own trainer has it"
_MAX_CLASSES = 1_000


def guess_data(examples: Examples, given: Mapping[str, Any]) -> Draft:
    """What can be known of images, labels and classes, why, and what has to be asked.

    The model is the one that the project's trainer makes: it takes image files, or raw pixels where the Examples hold
    such, and answers with probabilities.

    Raises:
      MonitorError: there are no images, or no labels.

    """
    draft = Draft(given)
    feature = guess_feature(draft, (), examples)
    if feature is None:
        return draft
    raw = draft.value("image.format") == "raw"
    guess_pixels(draft, Tensor("image", TensorInfo(None, "uint8" if raw else STRING)), feature)
    draft.settle("image.input", "image", _OURS)
    for key, value in (("scores", "probabilities"), ("kind", "probabilities")):
        draft.settle(f"outputs.{key}", value, _OURS)
    for key, value in (("serve", "serving_default"), ("examples", "serve_examples")):
        draft.settle(f"signatures.{key}", value, _OURS)
    classes = _count_classes(draft, examples)
    if classes is not None:
        guess_label(draft, examples, classes)
    guess_id(draft, examples)
    if not draft.questions:
        draft.spec()
    return draft


def _count_classes(draft: Draft, examples: Examples) -> int | None:
    """How many classes there are, by the numbers or the names of the label; None where it has to be asked for."""
    given = draft.given.get("classes")
    if given is not None:
        return len(given)
    image = draft.value("image.feature")
    able = {name: each for name, each in examples.features.items() if name != image and _may_be_label(each)}
    named = {name: each for name, each in able.items() if may_name_classes(name)} or able
    named = {name: each for name, each in named.items() if each.numbers} or named
    chosen = draft.given.get("label")
    if chosen in able:
        named = {chosen: able[chosen]}
    if not named:
        features = "; ".join(f"{name}: {feature}" for name, feature in examples.features.items())
        raise MonitorError(
            f"No feature of the Examples holds labels, names or whole numbers from 0 or 1. There are {features}"
        )
    if len(named) > 1:
        draft.ask("label", "several features can be the label", {name: str(each) for name, each in named.items()})
        return None
    [feature] = named.values()
    low, high = feature.numbers or (1, feature.distinct)
    return high - low + 1


def _may_be_label(feature: Feature) -> bool:
    if not feature.single or not 2 <= feature.distinct < feature.rows:
        return False
    if feature.numbers:
        low, high = feature.numbers
        return low in (0, 1) and low < high < _MAX_CLASSES
    return bool(feature.texts)
