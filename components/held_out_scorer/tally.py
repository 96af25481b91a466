"""What became of the examples of a split, counted; mergeable, in any order. And when it is too little to go on."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..common.class_scores import ScoreCounts
from ..common.errors import MonitorError
from ..common.model_spec import ModelSpec
from ..common.statistics.usability import MAX_UNUSABLE, Reasons


@dataclass
class Tally:
    """Counts of a split.

    Attributes:
      examples: all of them.
      images: reasons why some could not be asked about.
      labels: labels that are no class.
      predictions: answers that are no probabilities, no class or no embedding.
      scores: how the scores looked.
      features: names of features, of a few examples that lack the image.
      failure: why scoring stopped, "" where it went through.

    """

    examples: int = 0
    images: Reasons = field(default_factory=Reasons)
    labels: Reasons = field(default_factory=Reasons)
    predictions: Reasons = field(default_factory=Reasons)
    scores: ScoreCounts = field(default_factory=ScoreCounts)
    features: frozenset[str] = frozenset()
    failure: str = ""

    def merge(self, other: "Tally") -> None:
        self.examples += other.examples
        self.images.merge(other.images)
        self.labels.merge(other.labels)
        self.predictions.merge(other.predictions)
        self.scores += other.scores
        self.features |= other.features
        self.failure = min(filter(None, (self.failure, other.failure)), default="")

    @property
    def scored(self) -> int:
        """How many rows carry an answer of the model."""
        return self.examples - self.images.total - self.predictions.total


def merged(tallies: Iterable[Tally]) -> Tally:
    """The sum of them."""
    total = Tally()
    for each in tallies:
        total.merge(each)
    return total


def require_usable(tally: Tally, spec: ModelSpec, image_feature: str, split: str) -> None:
    """Refuses a split of which more than 1 % cannot be used: nothing that is compared with it would mean anything.

    Args:
      tally: its counts.
      spec: the model's.
      image_feature: by which the images were looked for.
      split: its name.

    Raises:
      MonitorError: saying of how many, why, and, where the scores are of another kind, what to write instead.

    """
    if tally.failure:
        raise MonitorError(f"split {split!r} could not be scored: {tally.failure}")
    if tally.examples == 0:
        raise MonitorError(f"split {split!r} must hold examples. Received: none")
    if tally.images.total == tally.examples and tally.features:
        known = ", ".join(sorted(tally.features))
        raise MonitorError(f"`image.feature` must name a feature of the examples: {known}. Received: {image_feature!r}")
    _require_few(tally.images, tally.examples, f"images of split {split!r}")
    wrong_kind = tally.scores.wrong_kind(spec.outputs.kind)
    if wrong_kind:
        name, kind = spec.outputs.scores, spec.outputs.kind
        raise MonitorError(f"output {name!r} must give scores of `kind: {kind}`. Received: {wrong_kind}")
    _require_few(tally.predictions, tally.examples, f"answers of the model to split {split!r}")
    classes = f"; the spec has {spec.num_classes:,} classes, {spec.classes[0]!r} to {spec.classes[-1]!r}, from number 0"
    _require_few(tally.labels, tally.examples, f"labels of split {split!r}", classes)


def _require_few(reasons: Reasons, examples: int, what: str, hint: str = "") -> None:
    if reasons.total > MAX_UNUSABLE * examples:
        received = f"{reasons.total:,} of {examples:,} cannot ({reasons.words})"
        raise MonitorError(f"the {what} must be such as can be used, all but 1 %. Received: {received}{hint}")
