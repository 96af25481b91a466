"""What became of the examples of a split, counted; mergeable, in any order. And when it is too little to go on."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..common.class_scores import ScoreCounts
from ..common.errors import MonitorError
from ..common.label_numbering import Agreement
from ..common.model_spec import ModelSpec
from ..common.statistics.usability import MAX_UNUSABLE, Reasons

_MUST_BE_RIGHT = (
    10  # labelled examples a class, of which a model that guesses has one right in all but 1 of 20,000 cases
)


@dataclass
class Tally:
    """Counts of a split.

    Attributes:
      examples: all of them.
      images: reasons why some could not be asked about.
      labels: labels that are no class.
      predictions: answers that are no probabilities, no class or no embedding.
      class_ids: class ids that are not those of the scores.
      class_id_numbering: how often the two agree.
      agreement: how often the model and the labels agree.
      scores: how the scores looked.
      features: names of features, of a few examples that lack the image.
      failure: why scoring stopped, "" where it went through.

    """

    examples: int = 0
    images: Reasons = field(default_factory=Reasons)
    labels: Reasons = field(default_factory=Reasons)
    predictions: Reasons = field(default_factory=Reasons)
    class_ids: Reasons = field(default_factory=Reasons)
    class_id_numbering: Agreement = field(default_factory=Agreement)
    agreement: Agreement = field(default_factory=Agreement)
    scores: ScoreCounts = field(default_factory=ScoreCounts)
    features: frozenset[str] = frozenset()
    failure: str = ""

    def merge(self, other: "Tally") -> None:
        self.examples += other.examples
        self.images.merge(other.images)
        self.labels.merge(other.labels)
        self.predictions.merge(other.predictions)
        self.class_ids.merge(other.class_ids)
        self.class_id_numbering += other.class_id_numbering
        self.agreement += other.agreement
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
    wrong_kind = tally.scores.wrong_kind(spec.outputs.kind) or tally.scores.sorted_by_size()
    if wrong_kind:
        name, kind = spec.outputs.scores, spec.outputs.kind
        raise MonitorError(f"output {name!r} must give scores of `kind: {kind}`. Received: {wrong_kind}")
    ids = tally.class_id_numbering.words_of_class_ids(spec.outputs.class_id_from, spec.num_classes)
    _require_few(tally.predictions, tally.examples, f"answers of the model to split {split!r}", ids)
    _require_few(tally.class_ids, tally.examples, f"class ids of the model for split {split!r}", ids)
    numbering = tally.agreement.words(spec.labels_from, spec.num_classes)
    wanted = f"a label must be {spec.labels.wanted}{f'; {numbering}' if numbering else ''}"
    _require_few(tally.labels, tally.examples, f"labels of split {split!r}", wanted)
    _require_agreement(tally.agreement, numbering, spec, split)


def _require_agreement(agreement: Agreement, numbering: str, spec: ModelSpec, split: str) -> None:
    """Refuses labels that are counted otherwise than the classes, and a model that is never right: nothing could be
    found worse than that.
    """
    if numbering:
        raise MonitorError(f"the labels of split {split!r} must count classes as the model does. Received: {numbering}")
    if agreement.right == 0 and agreement.labelled >= _MUST_BE_RIGHT * spec.num_classes:
        rule = f"the labels of split {split!r} must be of the model's classes, in the order of its scores"
        raise MonitorError(f"{rule}. Received: of {agreement.labelled:,} labels the model has none right")


def _require_few(reasons: Reasons, examples: int, what: str, hint: str = "") -> None:
    if reasons.total > MAX_UNUSABLE * examples:
        received = f"{reasons.total:,} of {examples:,} cannot ({reasons.words})"
        told = f"the {what} must be such as can be used, all but 1 %. Received: {received}"
        raise MonitorError(f"{told}; {hint}" if hint else told)
