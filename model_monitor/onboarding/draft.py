"""A model's spec while it is being found out: what is known and why, and what has to be asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from components.common.errors import MonitorError, require_known
from components.common.model_spec import ModelSpec
from components.common.settings import keys

Candidates: TypeAlias = Mapping[str, str]
GIVEN = "you said so"


@dataclass(frozen=True)
class Guess:
    """A key of the spec that is settled: its value, and what speaks for it."""

    key: str
    value: Any
    why: str


@dataclass(frozen=True)
class Question:
    """A key that evidence does not settle: why, and each value it may have with what speaks for that."""

    key: str
    why: str
    candidates: Candidates


@dataclass
class Draft:
    """What is known of a spec. `given` is what the person said, which goes before all evidence.

    Keys are dotted, as in `image.feature`. `checks` are sentences on what came of trying the spec.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    guesses: list[Guess] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for key in flat(self.given):
            section, _, name = key.rpartition(".")
            if section:
                require_known(section, _SECTIONS, "--set")
            require_known(
                name,
                keys(ModelSpec, section.split(".") if section else []),
                f"--set {section}." if section else "--set",
            )

    def was_given(self, key: str) -> bool:
        return key in flat(self.given)

    def settle(self, key: str, value: Any, why: str) -> Any:
        """Sets a key, unless the person gave it; returns the value that it has now."""
        if self.was_given(key):
            value, why = flat(self.given)[key], GIVEN
        self.guesses.append(Guess(key, value, why))
        return value

    def ask(self, key: str, why: str, candidates: Candidates) -> None:
        self.questions.append(Question(key, why, candidates))

    def choose(self, key: str, candidates: Candidates, *, only: str, several: str, none: str) -> str | None:
        """Settles a key that has one candidate (for the reason `only`), and asks where there are several.

        Args:
          key: the key.
          candidates: what speaks for each value.
          only: why it is this one, where there is one.
          several: what is wrong where there are several.
          none: the error where there is none.

        Returns:
          The value, or None where the person has to be asked.

        """
        if self.was_given(key):
            return str(self.settle(key, "", ""))
        if not candidates:
            raise MonitorError(none)
        if len(candidates) > 1:
            self.ask(key, several, candidates)
            return None
        [(value, said)] = candidates.items()
        return str(self.settle(key, value, f"{only}: {said}"))

    def value(self, key: str) -> Any:
        """What a key has been settled to; None where it has not."""
        return next((guess.value for guess in reversed(self.guesses) if guess.key == key), None)

    def spec(self) -> ModelSpec:
        """The finished spec. Raises `MonitorError` where the values do not fit together."""
        record: dict[str, Any] = {}
        for guess in self.guesses:
            section, _, name = guess.key.rpartition(".")
            into = record.setdefault(section, {}) if section else record
            into[name] = guess.value
        return ModelSpec.from_record(record, "the spec")


_SECTIONS = ("image", "outputs", "signatures")


def flat(settings: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    """Nested settings by dotted keys; `image.range` may itself be keys and values.

    >>> flat({"label": "y", "image": {"range": {"mean": 1, "std": 2}}})
    {'label': 'y', 'image.range': {'mean': 1, 'std': 2}}
    """
    flattened: dict[str, Any] = {}
    for key, value in settings.items():
        if not section and isinstance(value, Mapping):
            flattened |= flat(value, f"{key}.")
        else:
            flattened[f"{section}{key}"] = value
    return flattened


def in_words(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
