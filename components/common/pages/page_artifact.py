"""What the artifact of a page holds: a file, and the verdict as custom properties; and what its node was told."""

from ..artifacts.files import Artifact

PAGE_FILE = "report.html"
OUTCOME_PROPERTY = "outcome"  # passed, failed or undecided
STATES_PROPERTY = "states"  # the verdict in one word, and `undecided` behind a comma where any check could not decide
VERDICT_PROPERTY = "verdict"  # one sentence
HISTORY_PARAMETER = "history"  # a `SpanHistory` as JSON; "" for none


def page_of(report: Artifact) -> str:
    """Where the page is: of what Kubeflow shows inline the URI is the page's own.

    >>> page_of(Artifact("/runs/7")), page_of(Artifact("minio://runs/7/report.html"))
    ('/runs/7/report.html', 'minio://runs/7/report.html')
    """
    return report.uri if report.uri.endswith(".html") else report.path(PAGE_FILE)
