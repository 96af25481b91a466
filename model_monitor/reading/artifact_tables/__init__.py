"""What is in an artifact's files, as tables: statistics, anomalies, schemas, blessings, evaluations, reports.

Imports neither TFX nor TensorFlow. A file that is missing or damaged is a problem that is listed, not an error.
"""

import posixpath
from collections.abc import Callable, Iterator, Mapping

from components.common.artifacts.files import DAMAGE, Artifact, Files, said
from components.common.errors import MonitorError
from components.common.records.decision import REASONS_JSON
from components.common.records.drift_report import DRIFT_REPORT_JSON
from components.common.records.log_counts import COUNTS_JSON
from components.common.records.performance import PERFORMANCE_JSON

from . import checks, data, reports
from .table import Opened, Table

__all__ = ["Opened", "Table", "open_artifact"]

Opener = Callable[[Artifact, Files], Iterator[Table]]
# By the type's name, so that types of other packages with the same files open too ("components.X" has none of them).
_OPENERS: Mapping[str, tuple[Opener, ...]] = {
    "ExampleStatistics": (data.statistics,),
    "ExampleAnomalies": (data.anomalies,),
    "Schema": (data.schema,),
    "Examples": (data.examples, data.noted),
    "ModelBlessing": (checks.blessing,),
    "InfraBlessing": (checks.blessing,),
    "ModelEvaluation": (checks.thresholds, checks.metrics),
    "HyperParameters": (checks.hyperparameters,),
}
# Files that components of this project put beside the standard ones.
_FILES: Mapping[str, Opener] = {
    REASONS_JSON: checks.reasons,
    DRIFT_REPORT_JSON: reports.drift_report,
    PERFORMANCE_JSON: reports.performance,
    COUNTS_JSON: reports.counts,
}


def open_artifact(artifact: Artifact, files: Files) -> Opened:
    """The tables of an artifact, and what of it could not be read."""
    problem = _unreachable(artifact, files)
    if problem:
        return Opened(artifact, (), (problem,))
    openers = [*_OPENERS.get(artifact.type, (_listing, data.noted))]
    present = _present(artifact, files)
    openers += [opener for name, opener in _FILES.items() if name in present]
    tables: list[Table] = []
    problems: list[str] = []
    for opener in openers:
        # A table that was read is kept when the next one cannot be.
        try:
            for table in opener(artifact, files):
                tables += [table] if not table.problem else []
                problems += [table.problem] if table.problem else []
        except (*DAMAGE, OSError) as error:
            problems.append(str(error) if isinstance(error, MonitorError) else f"{artifact.uri}: {said(error)}")
    return Opened(artifact, tuple(tables), tuple(problems))


def _unreachable(artifact: Artifact, files: Files) -> str:
    """Why the files of an artifact cannot be read; "" when they can."""
    if not files.reaches(artifact.uri):
        return f"{artifact.uri} is not on this machine"
    if not artifact.uri or files.gone(artifact.uri):
        return f"{artifact.uri or 'an artifact without a URI'} is gone"
    return ""


def _present(artifact: Artifact, files: Files) -> list[str]:
    """What is in the folder of an artifact; nothing where that cannot be listed, or it is a file."""
    try:
        return files.listing(artifact.uri)
    except MonitorError:
        return []


def _listing(artifact: Artifact, files: Files) -> Iterator[Table]:
    """What is in the folder, for a type that has no table of its own."""
    sizes = files.sizes(artifact.uri)
    if "" in sizes:
        found = {posixpath.basename(artifact.uri): [sizes[""]]}
    else:
        found = {name: [] for name in files.listing(artifact.uri)}
        for name, size in sizes.items():
            found.setdefault(name.partition("/")[0], []).append(size)
    rows = tuple((name, len(each), sum(each)) for name, each in found.items())
    yield Table("Files", ("name", "files", "bytes"), rows)
