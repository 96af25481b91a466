"""What the artifact of a page holds: a file, and the verdict as custom properties; and what its node was told."""

PAGE_FILE = "report.html"
OUTCOME_PROPERTY = "outcome"  # passed, failed or undecided
STATES_PROPERTY = "states"  # the verdict in one word, and `undecided` behind a comma where any check could not decide
VERDICT_PROPERTY = "verdict"  # one sentence
HISTORY_PARAMETER = "history"  # a `SpanHistory` as JSON; "" for none
