"""Made-up windows, a word each."""

from components.common.proportion import Proportion
from components.common.verdict_words import State
from model_monitor.reading.window_record import WindowRecord

HOUR = 3600.0
WORDS = {
    "f": State.FINE,
    "c": State.CHANGED,
    "d": State.DEGRADED,
    "i": State.INVALID,
    "u": State.UNDECIDED,
}
_CHECKS = {
    State.FINE: {"logs": "fine", "data": "fine", "accuracy": "fine"},
    State.CHANGED: {"logs": "fine", "data": "changed", "accuracy": "fine"},
    State.DEGRADED: {"logs": "fine", "data": "changed", "accuracy": "degraded"},
    State.INVALID: {"logs": "invalid", "data": "changed", "accuracy": "fine"},
    State.UNDECIDED: {"logs": "fine", "data": "undecided", "accuracy": "fine"},
}
_ACCURACY = {State.DEGRADED: 0.61, State.INVALID: 0.7, State.UNDECIDED: 0.7}


def window(number: int, word: str = "f", features: tuple[str, ...] = (), **known) -> WindowRecord:
    """A window of 1,000 images an hour after the one before; `word` is the first letter of its verdict."""
    state = WORDS[word]
    moved = state in (State.CHANGED, State.DEGRADED)
    value = _ACCURACY.get(state, 0.9)
    plain = {
        "model": "cifar10",
        "window": number,
        "state": state,
        "sentence": f"Span {number} is {state.words}: as made up.",
        "run": 100 + number,
        "run_id": f"run-{number}",
        "version": "7",
        "examples": 1000,
        "baseline_examples": 3000,
        "judged_at": 1_800_000_000.0 + HOUR * (number + 1),
        "p_value": None if state is State.UNDECIDED else 0.0005 if moved else 0.4,
        "p_threshold": 0.01,
        "skew_p_value": None if state is State.UNDECIDED else 0.0005 if moved else 0.4,
        "compared": 1000,
        "baseline_compared": 3000,
        "features": features or (("image_sharpness", "image_noise") if moved else ()),
        "checks": _CHECKS[state],
        "estimated": Proportion(value, value - 0.03, value + 0.03, 1000),
        "baseline_accuracy": Proportion(0.91, 0.9, 0.92, 3000),
        "least_accuracy": 0.86,
    }
    return WindowRecord(**{**plain, **known})


def windows(words: str) -> list[WindowRecord]:
    """Windows 1, 2, ... of these words, e.g. "ffccdf"; in capitals they came late."""
    return [window(number, word.lower(), late=word.isupper()) for number, word in enumerate(words, start=1)]
