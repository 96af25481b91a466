"""What is wrong at the moment: said once when it begins, and once when it is over."""

from collections.abc import Callable


class Notices:
    """Sentences by what they are about. Used by several threads; each key by one."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._current: dict[str, str] = {}

    def wrong(self, about: str, sentence: str) -> None:
        """Something is wrong: said unless the same was said already."""
        if self._current.get(about) != sentence:
            self._current[about] = sentence
            self._say(sentence)

    def right(self, about: str, sentence: str = "") -> None:
        """It is no more; `sentence` is said where it was."""
        if self._current.pop(about, None) is not None and sentence:
            self._say(sentence)

    @property
    def current(self) -> tuple[str, ...]:
        return tuple(self._current.values())
