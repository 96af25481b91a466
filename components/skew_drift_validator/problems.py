"""What can be wrong with a window apart from a difference, in the words that people meet."""

from dataclasses import dataclass

from ..common.records.drift_report import State
from ..common.statistics.monitored_features import DRIFT, SKEW

ERROR = "ERROR"
WARNING = "WARNING"
REFERENCES = {SKEW: "baseline", DRIFT: "previous span"}  # what a window is compared with, for a person
UNUSABLE = "Unusable"  # how the titles of such problems begin
NEAR_DUPLICATES = "Near-duplicates"
SORTED_SCORES = "Scores are sorted"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong or could not be checked, apart from a difference.

    Attributes:
      feature: The feature it is about, "" for the data set.
      type: The name of an `AnomalyInfo.Type`.
      severity: "ERROR" or "WARNING".
      title: A few words.
      sentence: The same for a person, without a full stop.
      state: What the window's state is for it, if nothing comes before; None where it leaves the state alone.

    """

    feature: str
    type: str
    severity: str
    title: str
    sentence: str
    state: State | None

    @property
    def said(self) -> str:
        """The sentence, with what it is about."""
        return f"feature {self.feature}: {self.sentence}" if self.feature else self.sentence
