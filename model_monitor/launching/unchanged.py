"""Whether a span's last run is the one that would be run now: told by what went into it, without importing TFX.

TFX would take every node of such a run from its cache, and needs ten seconds of imports to say so. Here a digest of all
that a run is made of is recorded with its verdict, and compared before the next: the files of logs and labels, the
baseline and the earlier span's statistics by their content, the settings, what is known of the spans before, and the
versions of TFX and of our own code. Whatever cannot be read, lies in an object store, or has changed while the run was
on the way has no digest, and nothing without one is ever unchanged: then TFX decides.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import components
import pipelines
from components.common.artifacts.record_files import is_remote
from components.common.baseline_bundle import BUNDLE, Bundle
from components.common.errors import MonitorError
from components.common.span_patterns import SpanLogs
from pipelines.config import MonitoringConfig

from ..reading.run_store import Run, open_store
from .evaluated import Evaluation, FileStamp, digest

_LIBRARIES = ("tfx", "tensorflow", "tensorflow-data-validation", "numpy", "scipy")
_NOT_INPUTS: Any = {"cache": True, "kubeflow": True, "monitor": {"fail_on"}}  # of the settings


def inputs_of(
    config: MonitoringConfig, logs: SpanLogs, files: Sequence[FileStamp], bundle: Bundle, arguments: Mapping[str, Any]
) -> str:
    """A digest of all that a run on a span is made of; "" where some of it cannot be told, or the cache is off.

    Args:
      config: the settings.
      logs: the span.
      files: its files, as they are now.
      bundle: of the version that is served.
      arguments: what the pipeline is told besides.

    """
    folders = [os.path.join(bundle.version_dir, BUNDLE), arguments["previous_uri"]]
    if not config.cache or any(map(is_remote, folders)) or any(stamp.unread for stamp in files):
        return ""
    told = {**arguments, "history": asdict(arguments["history"])}
    try:
        labels = digest(Path(config.labels)) if config.labels else ""
        contents = [list(_contents(Path(folder))) for folder in folders if folder]
        code, versions = _code(tuple(package.__path__[0] for package in (components, pipelines))), _versions()
    except (OSError, metadata.PackageNotFoundError):
        return ""
    settings = config.model_dump(mode="json", exclude=_NOT_INPUTS)
    stamps = [asdict(stamp) for stamp in files]
    record = [settings, asdict(logs), stamps, told, labels, contents, code, versions]
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=16).hexdigest()


def run_of(config: MonitoringConfig, last: Evaluation | None, inputs: str) -> Run | None:
    """The run of a span's last evaluation, where it was made of these inputs and all that it made is still there."""
    if not inputs or last is None or last.inputs != inputs or not config.metadata_path.is_file():
        return None
    try:
        run = Run(open_store(config.metadata_path), config.name, last.run_id)
        whole = bool(run.nodes) and all(node.complete for node in run.nodes.values()) and not run.unstarted
    except MonitorError:  # the store is another one, or damaged: TFX will say so
        return None
    made = [artifact.uri for node in run.nodes.values() for artifact in node.made]
    return run if whole and run.id == last.run and all(map(os.path.exists, made)) else None


@cache
def _code(packages: tuple[str, ...]) -> list[list[tuple[str, int, int]]]:
    """What says which code of ours this process runs: the modules as they were when it first asked."""
    return [list(_stated(Path(package))) for package in packages]


@cache
def _versions() -> list[str]:
    """The versions of the libraries, likewise."""
    return [metadata.version(library) for library in _LIBRARIES]


def _contents(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and digest of each file below a folder. Raises OSError where one cannot be read."""
    for path in _files(folder):
        yield str(path.relative_to(folder)), digest(path)


def _stated(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Name, size and time of change of each module below a folder: of another version, or edited, some differ."""
    for path in _files(folder):
        if path.suffix == ".py":
            found = path.stat()
            yield str(path.relative_to(folder)), found.st_size, found.st_mtime_ns


def _files(folder: Path) -> list[Path]:
    os.stat(folder)  # of a folder that is not there, `rglob` finds nothing and says nothing
    return sorted(path for path in folder.rglob("*") if not path.is_dir())
