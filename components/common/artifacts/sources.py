"""What a page is made from: the artifacts of a run by what they are to the page, and what is known of the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model_spec import ModelSpec
from ..records.span_history import NOTHING_KNOWN, SpanHistory
from .files import Artifact, Properties


@dataclass(frozen=True)
class NodeFacts:
    """One node of the run: its state, its duration in seconds (None where unknown), its parameters."""

    name: str
    state: str
    seconds: float | None
    parameters: Properties


@dataclass(frozen=True)
class RunFacts:
    """Which run it is, what ran it, and its nodes as far as they are known. `started` is a time for a person."""

    pipeline: str = ""
    run_id: str = ""
    started: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    nodes: tuple[NodeFacts, ...] = ()


@dataclass(frozen=True)
class Sources:
    """The artifacts of a run by what they are to the page; None or nothing for what the run does not have.

    Attributes:
      statistics: of the window, the examples that were served; None in a training run without serving logs.
      baseline_statistics: of held-out examples scored by the model.
      previous_statistics: of the previous span.
      training_statistics: of the data that the model was trained on.
      examples: of the window.
      baseline_examples: the held-out ones; None for those that the bundle of `schema` names.
      anomalies: of every check, with whatever reports lie beside them.
      blessing: what the gate decided.
      violations: why it does not bless the model, where it leaves no record of its own; known to the command only.
      evaluation: by TFMA.
      pushed_model: what the pusher did.
      schema: from a BaselineImporter; its `bundle_uri` says where the baseline's own evaluation is.
      split, baseline_split: the splits of the window and of the held-out examples.
      class_names: in the order of the classes; empty when they are not known.
      spec: the model's; None where no node was told one.
      run: the facts.
      missing: what should have been there and was not, a sentence each.
      history: what was known of the span, and of those before it, when it was evaluated.

    """

    statistics: Artifact | None = None
    baseline_statistics: Artifact | None = None
    previous_statistics: Artifact | None = None
    training_statistics: Artifact | None = None
    examples: Artifact | None = None
    baseline_examples: Artifact | None = None
    anomalies: tuple[Artifact, ...] = ()
    blessing: Artifact | None = None
    violations: tuple[str, ...] = ()
    evaluation: Artifact | None = None
    pushed_model: Artifact | None = None
    schema: Artifact | None = None
    split: str = "serving"
    baseline_split: str = "eval"
    class_names: tuple[str, ...] = ()
    spec: ModelSpec | None = None
    run: RunFacts = RunFacts()
    missing: tuple[str, ...] = ()
    history: SpanHistory = NOTHING_KNOWN

    def artifacts(self) -> dict[str, Artifact]:
        """Every artifact, by its part on the page."""
        names = ("statistics", "baseline_statistics", "previous_statistics", "training_statistics", "examples",
                 "baseline_examples", "blessing", "evaluation", "pushed_model", "schema")  # fmt: skip
        single = {name: getattr(self, name) for name in names}
        several = {f"anomalies of {each.producer or number}": each for number, each in enumerate(self.anomalies, 1)}
        return {name: each for name, each in {**single, **several}.items() if each is not None}

    def class_name(self, number: int) -> str:
        return self.class_names[number] if 0 <= number < len(self.class_names) else f"class {number}"
