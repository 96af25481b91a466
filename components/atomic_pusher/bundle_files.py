"""Puts a baseline bundle together, for a version that is about to be pushed or beside one that is served already."""

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from ..common import baseline_bundle
from ..common.artifacts.files import Artifact, Files
from ..common.artifacts.splits import split_folders
from ..common.artifacts.statistics import read_datasets
from ..common.baseline_bundle import Bundle, Manifest
from ..common.errors import require
from ..common.installed import installed_versions
from ..common.model_spec import ModelSpec
from ..common.step import Step
from .channel_means import lacks_channel_means, with_channel_means
from .publish import publish_bundle


@dataclass(frozen=True)
class BundleSources:
    """What a bundle is made from: the folders of artifacts.

    Attributes:
      model: what the `Model` artifact is known as, or the folder of a served SavedModel; it is named, not read.
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


def copy_parts(sources: BundleSources, bundle: str, step: Step) -> None:
    """Copies all but the manifest into the folder `bundle`, as the step reads and writes."""
    folders = {
        baseline_bundle.STATISTICS_DIR: sources.statistics,
        baseline_bundle.BASELINE_STATISTICS_DIR: sources.baseline_statistics,
        baseline_bundle.EVALUATION_DIR: sources.evaluation,
    }
    for part, folder in folders.items():
        if folder is not None:
            step.copy_tree(folder, os.path.join(bundle, part))
    schemas = step.files.listing(sources.schema)
    require(len(schemas) == 1, sources.schema, "hold one schema and nothing else", schemas)
    step.copy_file(f"{sources.schema}/{schemas[0]}", os.path.join(bundle, baseline_bundle.SCHEMA_FILE))
    to = os.path.join(bundle, baseline_bundle.REASONS_FILE)
    reasons = f"{sources.blessing}/{os.path.basename(to)}"
    # another component's blessing, such as Evaluator's, gives none
    if sources.blessing and step.files.there(reasons):
        step.copy_file(reasons, to)


def write_manifest(  # noqa: PLR0913 - what is in it, and how it is written
    sources: BundleSources, bundle: str, spec: ModelSpec, version: int, *, run: Run, step: Step
) -> None:
    """Writes the manifest of the parts that `copy_parts` has put there."""
    given = {baseline_bundle.STATISTICS_DIR: sources.statistics, baseline_bundle.EVALUATION_DIR: sources.evaluation}
    manifest = Manifest(
        model_version=version,
        spec=_with_channel_means(spec, os.path.join(bundle, baseline_bundle.BASELINE_STATISTICS_DIR), step.files),
        pushed_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        model_uri=sources.model,
        baseline_examples_uri=sources.baseline_examples,
        **dataclasses.asdict(run),
        tensorflow_version=installed_versions()["tensorflow"],
        tfx_version=installed_versions()["tfx"],
        parts=tuple(part for part, folder in given.items() if folder is not None),
    )
    step.write_text(os.path.join(bundle, baseline_bundle.MANIFEST_FILE), manifest.to_json())


def adopt(version_dir: str, sources: BundleSources, spec: ModelSpec, *, replace: bool = False) -> Bundle:
    """Publishes a bundle beside a model that is served already, all or nothing; see `publish_bundle`.

    Args:
      version_dir: the folder of its SavedModel, such as `/serving/3`. A name that is no number is no version: its logs
        are then taken whatever version they name.
      sources: what the bundle is made from, on this machine; the model that it names is `version_dir`.
      spec: the model's.
      replace: whether to put it in the place of a bundle that is there.

    Raises:
      MonitorError: the folder holds no SavedModel or cannot be written to, there is a bundle already, or what was put
        together is no whole bundle.

    """
    sources, step = dataclasses.replace(sources, model=os.path.abspath(version_dir)), Step({}, {}, {})

    def fill(bundle: str) -> None:
        copy_parts(sources, bundle, step)
        write_manifest(sources, bundle, spec, baseline_bundle.version_of(version_dir), run=Run(), step=step)

    check: Callable[[str], object] = lambda bundle: baseline_bundle.read_bundle(version_dir, bundle)  # noqa: E731
    publish_bundle(version_dir, fill, check, replace=replace)
    return baseline_bundle.read(version_dir)


def _with_channel_means(spec: ModelSpec, statistics: str, files: Files) -> ModelSpec:
    if not lacks_channel_means(spec):
        return spec
    folders = split_folders(Artifact(statistics), files).values()
    return with_channel_means(spec, [data for folder in folders for data in read_datasets(folder, files).datasets])
