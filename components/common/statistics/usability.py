"""Why images, scores or labels of a data set cannot be used, and the rule that a baseline keeps.

What describes a data set counts the reasons and writes them into its statistics; whoever makes a baseline of these
asks `require_usable`. Messages of `tensorflow_metadata` are passed in and looked at, none is made here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import MonitorError

IMAGE_CORRUPT = "image_corrupt"  # the feature that is 1 for an image that cannot be used, 0 for any other
PREDICTION_CORRUPT = "prediction_corrupt"  # the same of predictions
# Custom statistics of these features: the reasons in words, and how many labels mean no class.
REASONS = "reasons"
UNKNOWN_LABELS = "unknown_labels"
UNKNOWN_LABEL = "unknown_label"  # the same in words, with one of them
WRONG_KIND = "wrong_kind"  # what most scores look like, where that is not what the spec says
IMAGES, PREDICTIONS, LABELS = "images", "predictions", "labels"  # what may be unusable
MAX_UNUSABLE = 0.01  # of a baseline's examples


class Reasons:
    """How often each reason was met, and what was found in one case. Mergeable, in any order."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, reason: str, found: str, count: int = 1) -> None:
        """Counts a reason, such as "of another size", and what was found, such as "20 x 30"."""
        before, known = self._found.get(reason, (0, found))
        self._found[reason] = (before + count, min(known, found))

    def merge(self, other: "Reasons") -> None:
        for reason, (count, found) in other._found.items():
            self.add(reason, found, count)

    @property
    def total(self) -> int:
        return sum(count for count, _ in self._found.values())

    @property
    def words(self) -> str:
        """Such as "212 of another size, such as 20 x 30; 3 missing", the commonest first.

        >>> reasons = Reasons()
        >>> reasons.add("missing", "", 3), reasons.add("of another size", "20 x 30", 212)
        (None, None)
        >>> reasons.words
        '212 of another size, such as 20 x 30; 3 missing'
        """
        ranked = sorted(self._found.items(), key=lambda item: (-item[1][0], item[0]))
        told = ((count, reason, f", such as {found}" if found else "") for reason, (count, found) in ranked)
        return "; ".join(f"{count:,} {reason}{such}" for count, reason, such in told)


@dataclass(frozen=True)
class Unusable:
    """How many of a data set's examples have an image, a prediction or a label that cannot be used, and why.

    Predictions of which most are of another kind than the spec says are all unusable.
    """

    what: str
    count: int
    examples: int
    reasons: str

    @property
    def too_many(self) -> bool:
        """Whether they are more than a baseline may have."""
        return self.count > MAX_UNUSABLE * self.examples

    def __str__(self) -> str:
        return f"{self.count:,} of {self.examples:,} {self.what} cannot be used: {self.reasons}"


def unusable(data: Any) -> Iterator[Unusable]:
    """What cannot be used of the examples that a `DatasetFeatureStatistics` describes, in so far as it says so."""
    for described in data.features:
        name = ".".join(described.path.step)
        if name not in (IMAGE_CORRUPT, PREDICTION_CORRUPT):
            continue
        numbers, custom = described.num_stats, {each.name: each for each in described.custom_stats}
        count = int(numbers.common_stats.num_non_missing - numbers.num_zeros)
        told = [custom[key].str for key in (REASONS, WRONG_KIND) if key in custom]
        count = data.num_examples if WRONG_KIND in custom else count
        what = IMAGES if name == IMAGE_CORRUPT else PREDICTIONS
        yield Unusable(what, count, data.num_examples, "; ".join(told))
        if UNKNOWN_LABELS in custom:
            found = custom[UNKNOWN_LABEL].str if UNKNOWN_LABEL in custom else ""
            yield Unusable(LABELS, int(custom[UNKNOWN_LABELS].num), data.num_examples, found)


def require_usable(data: Any, what: str) -> None:
    """Refuses a baseline of which more than 1 % cannot be used: nothing that is compared with it would mean anything.

    Args:
      data: `DatasetFeatureStatistics` of the baseline.
      what: names it in the message.

    Raises:
      MonitorError: saying how many images, predictions or labels are unusable, and why.

    """
    broken = [str(each) for each in unusable(data) if each.too_many]
    if broken:
        rule = f"hold images, predictions and labels that can be used, all but {100 * MAX_UNUSABLE:g} %"
        raise MonitorError(f"{what} must {rule}. Received: {'; '.join(broken)}")
