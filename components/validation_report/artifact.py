"""The artifact type of a page."""

from tfx.types import artifact

# Kubeflow takes names of one dot, under which the class can be imported: `<package>.HtmlReport`. So a package that is
# itself inside another has a name that only works elsewhere.
_PACKAGE = __package__.rpartition(".")[0] if __package__ else ""


class HtmlReport(artifact.Artifact):
    """A folder that holds one file, `report.html`, which needs nothing besides itself."""

    TYPE_NAME = f"{_PACKAGE}.HtmlReport"
