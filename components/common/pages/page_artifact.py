"""What the artifact of a page holds: a file, and the verdict as custom properties."""

PAGE_FILE = "report.html"
OUTCOME_PROPERTY = "outcome"  # passed, failed or undecided
VERDICT_PROPERTY = "verdict"  # one sentence
