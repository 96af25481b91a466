"""Puts a baseline bundle together, for a version that is about to be pushed or beside one that is served already."""

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

import tensorflow as tf
from tfx import version as tfx_version
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from ..common import baseline_bundle
from ..common.artifacts.files import Artifact
from ..common.artifacts.splits import split_folders
from ..common.artifacts.statistics import read_datasets
from ..common.baseline_bundle import Bundle, Manifest
from ..common.model_spec import ModelSpec
from ..common.tfx_files import tfx_files
from .channel_means import lacks_channel_means, with_channel_means
from .publish import publish_bundle


@dataclass(frozen=True)
class BundleSources:
    """What a bundle is made from: the folders of artifacts, on any file system that TFX reads.

    Attributes:
      model: the `Model` artifact, or the folder of a served SavedModel.
      baseline_statistics: `ExampleStatistics` of held-out examples that the model scored.
      schema: `Schema`.
      statistics: `ExampleStatistics` of the data the model was trained on; None where it was not trained here.
      evaluation: `ModelEvaluation`; None where there is none.
      blessing: `ModelBlessing`, whose reasons are kept; None where nothing blessed it.
      baseline_examples: the `Examples` that the baseline's statistics describe; they are named, not copied.

    """

    model: str
    baseline_statistics: str
    schema: str
    statistics: str | None = None
    evaluation: str | None = None
    blessing: str | None = None
    baseline_examples: str | None = None


@dataclass(frozen=True)
class Run:
    """The run that makes a bundle, as far as it is known; see `Manifest`."""

    run_key: str = ""
    judged_against: str | None = None
    pipeline_name: str | None = None
    pipeline_run_id: str | None = None


def copy_parts(sources: BundleSources, bundle: str) -> None:
    """Copies all but the manifest into the folder `bundle`."""
    folders = {
        baseline_bundle.STATISTICS_DIR: sources.statistics,
        baseline_bundle.BASELINE_STATISTICS_DIR: sources.baseline_statistics,
        baseline_bundle.EVALUATION_DIR: sources.evaluation,
    }
    for part, folder in folders.items():
        if folder is not None:
            io_utils.copy_dir(folder, os.path.join(bundle, part))
    schema = io_utils.get_only_uri_in_dir(sources.schema)
    io_utils.copy_file(schema, os.path.join(bundle, baseline_bundle.SCHEMA_FILE))
    to = os.path.join(bundle, baseline_bundle.REASONS_FILE)
    reasons = os.path.join(sources.blessing or "", os.path.basename(to))
    if sources.blessing and fileio.exists(reasons):  # another component's blessing, such as Evaluator's, gives none
        io_utils.copy_file(reasons, to)


def write_manifest(sources: BundleSources, bundle: str, spec: ModelSpec, version: int, run: Run) -> None:
    """Writes the manifest of the parts that `copy_parts` has put there."""
    given = {baseline_bundle.STATISTICS_DIR: sources.statistics, baseline_bundle.EVALUATION_DIR: sources.evaluation}
    manifest = Manifest(
        model_version=version,
        spec=_with_channel_means(spec, os.path.join(bundle, baseline_bundle.BASELINE_STATISTICS_DIR)),
        pushed_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        model_uri=sources.model,
        baseline_examples_uri=sources.baseline_examples,
        **dataclasses.asdict(run),
        tensorflow_version=tf.__version__,
        tfx_version=tfx_version.__version__,
        parts=tuple(part for part, folder in given.items() if folder is not None),
    )
    io_utils.write_string_file(os.path.join(bundle, baseline_bundle.MANIFEST_FILE), manifest.to_json())


def adopt(version_dir: str, sources: BundleSources, spec: ModelSpec, *, replace: bool = False) -> Bundle:
    """Publishes a bundle beside a model that is served already, all or nothing; see `publish_bundle`.

    Args:
      version_dir: the folder of its SavedModel, such as `/serving/3`. A name that is no number is no version: its logs
        are then taken whatever version they name.
      sources: what the bundle is made from; the model that it names is `version_dir`.
      spec: the model's.
      replace: whether to put it in the place of a bundle that is there.

    Raises:
      MonitorError: the folder holds no SavedModel or cannot be written to, there is a bundle already, or what was put
        together is no whole bundle.

    """
    sources = dataclasses.replace(sources, model=os.path.abspath(version_dir))

    def fill(bundle: str) -> None:
        copy_parts(sources, bundle)
        write_manifest(sources, bundle, spec, baseline_bundle.version_of(version_dir), Run())

    check: Callable[[str], object] = lambda bundle: baseline_bundle.read_bundle(version_dir, bundle)  # noqa: E731
    publish_bundle(version_dir, fill, check, replace=replace)
    return baseline_bundle.read(version_dir)


def _with_channel_means(spec: ModelSpec, statistics: str) -> ModelSpec:
    if not lacks_channel_means(spec):
        return spec
    files = tfx_files()
    folders = split_folders(Artifact(statistics), files).values()
    return with_channel_means(spec, [data for folder in folders for data in read_datasets(folder, files).datasets])
