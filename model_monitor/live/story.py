"""What happens in the demonstration, chapter by chapter, and what is to come of it. Nothing is run here."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.common.verdict_words import State

PUSH = "push"  # a chapter that begins with a push around the gate


@dataclass(frozen=True)
class Traffic:
    """The images of one window.

    Attributes:
      shift: one of `shifts.SHIFTS`; "" for none.
      severity: 1 to 5.
      fraction: of the images that are shifted, 0 to 1.

    """

    shift: str = ""
    severity: int = 1
    fraction: float = 1.0


CLEAN = Traffic()


@dataclass(frozen=True)
class Chapter:
    """One thing that happens.

    Attributes:
      title: in a few words.
      opening: what is about to happen, in a sentence or two.
      windows: the traffic, a window each.
      allowed: the words of verdicts that the last of these windows may have, for the story to be true.
      first: what happens before the traffic: "" or `PUSH`.

    """

    title: str
    opening: str
    windows: tuple[Traffic, ...]
    allowed: tuple[State, ...]
    first: str = ""


_FINE = (State.FINE,)
STORY = (
    Chapter(
        "Business as usual",
        "A client sends test images, as the model was validated on.",
        (CLEAN,) * 3,
        _FINE,
    ),
    Chapter(
        "A shift that hurts",
        "The camera shakes: every image is smeared. Nobody has told the monitor, and there are no labels.",
        (Traffic("motion_blur", 5),) * 2,  # so far beyond what is allowed that the estimate's errors do not explain it
        (State.DEGRADED,),
    ),
    Chapter("Recovery", "Somebody steadies the camera.", (CLEAN,) * 2, _FINE),
    Chapter(
        "A shift that does not hurt",
        "A new camera has a little more colour. The images change; what the model makes of them does not.",
        (Traffic("saturation", 2),) * 2,
        (State.CHANGED,),
    ),
    Chapter("Back again", "The old camera returns.", (CLEAN,), _FINE),
    Chapter(
        "A slow drift",
        "Dust gathers: in each window a few more of the images are noisy, too few for any one window to show.",
        tuple(Traffic("gaussian_noise", 2, share / 100) for share in (3, 4, 4, 5, 5, 5, 5, 5)),
        (State.FINE, State.CHANGED, State.UNDECIDED, State.DEGRADED),
    ),
    Chapter("Clean once more", "The dust is blown away.", (CLEAN,), _FINE),
    Chapter(
        "A bad push",
        "Somebody copies a damaged model into the serving folder, past the gate. The server takes it up.",
        (CLEAN,) * 2,
        (State.DEGRADED, State.INVALID, State.CHANGED, State.UNDECIDED),
        first=PUSH,
    ),
    Chapter(
        "After the rollback",
        "The version before it answers again.",
        (CLEAN,) * 2,
        _FINE,
    ),
)


def length(chapters: tuple[Chapter, ...] = STORY) -> int:
    """How many windows a story has."""
    return sum(len(chapter.windows) for chapter in chapters)


def numbered(chapters: tuple[Chapter, ...] = STORY) -> Iterator[tuple[int, Chapter]]:
    """The chapters with the number of their first window, from 1."""
    first = 1
    for chapter in chapters:
        yield first, chapter
        first += len(chapter.windows)
