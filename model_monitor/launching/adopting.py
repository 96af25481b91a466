"""A baseline for a model that is served already: one run, a bundle beside the model, and a note for `monitor`."""

import glob
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import yaml

from components.atomic_pusher import bundle_files
from components.common import baseline_bundle
from components.common.artifacts.gunzip import GZIP_MAGIC
from components.common.artifacts.record_files import choose
from components.common.baseline_bundle import Bundle
from components.common.errors import MonitorError, require
from components.common.model_spec import ModelSpec
from components.common.plain_paths import require_plain
from components.common.settings import read_yaml
from pipelines.config import AdoptionConfig
from pipelines.progress import Progress

from ..onboarding.described import files_of, records_of
from ..reading.run_store import Run
from .monitoring import REMEMBERED
from .pipelines import launch


@dataclass(frozen=True)
class Adopted:
    """What came of an adoption.

    Attributes:
      run: the run that made the baseline.
      bundle: the baseline, beside the model.
      remembered: the file that tells `monitor` where it is.

    """

    run: Run
    bundle: Bundle
    remembered: Path


def check(model: Path, examples: str, *, replace: bool) -> None:
    """Says before anything runs what would fail after it.

    Raises:
      MonitorError: the model's folder is none, has a bundle that is not to be replaced, or something else than TFRecord
        files is named.

    """
    require_plain(model, "--saved-model")
    present = any((model / name).is_file() for name in baseline_bundle.MODEL_FILES)
    require(present, "--saved-model", f"be a folder with a {baseline_bundle.MODEL_FILES[0]}", str(model))
    bundle = model / baseline_bundle.BUNDLE
    if bundle.exists() and not replace:
        raise MonitorError(f"{bundle} is there already: the model has a baseline. --force puts another in its place")
    narrowed(examples)
    for file in files_of(examples):
        with file.open("rb") as stream:
            zipped = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        require(zipped == (file.suffix == ".gz"), "--examples", "name gzipped files *.gz, and only these", str(file))
        next(records_of(file), None)  # says what the file is, where it is of another format


def adopt(  # noqa: PLR0913 - how, what of, from what; two by keyword
    config: AdoptionConfig, spec: ModelSpec, model: Path, examples: str, *, replace: bool, progress: Progress
) -> Adopted:
    """Scores and describes held-out examples, computes thresholds, and publishes them as the model's baseline.

    Args:
      config: the settings.
      spec: what the model takes and answers.
      model: folder of the SavedModel; the bundle goes into it, where servers do not look.
      examples: pattern of TFRecord files of held-out Examples.
      replace: whether a bundle that is there gives way.
      progress: shows the steps.

    Raises:
      NodeFailedError: a node of the pipeline failed.
      MonitorError: as `check`, or the bundle cannot be written.

    """
    check(model, examples, replace=replace)
    folder, pattern = split_pattern(narrowed(examples))
    arguments = {"spec": spec, "model": os.path.abspath(model), "folder": folder, "pattern": pattern}
    run = launch(config, "adopting", arguments, progress)
    bundle = _publish(run, spec, Path(os.path.abspath(model)), replace=replace)
    return Adopted(run, bundle, remember(config, bundle))


def narrowed(pattern: str) -> str:
    """A pattern of the record files alone that a pattern names: TFX reads whatever it is given, going by the name.

    Raises:
      MonitorError: what lies beside them is named by every such pattern.

    """
    named = _named_by(pattern)
    beside = choose(named, links_out=True)
    if beside.files == named or not beside.files:
        return pattern
    names = [os.path.basename(file) for file in beside.files]
    first = _same_start(names)
    last = _same_start([name[len(first) :][::-1] for name in names])[::-1]
    ways = (names[0],) if len(set(names)) == 1 else (f"{first}*{last}", "*.tfrecord*")
    for way in ways:
        alone = os.path.join(os.path.dirname(pattern), way)
        if _named_by(alone) == beside.files:
            return alone
    others = [*beside.side_files, *beside.refused]
    raise MonitorError(
        f"`--examples` must name TFRecord files only, as in 'held_out/*.tfrecord*'. Received: {', '.join(others[:3])}"
    )


def _same_start(names: list[str]) -> str:
    """What all begin with, letter by letter."""
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike)


def _named_by(pattern: str) -> list[str]:
    """The files that a pattern names to TFX, sorted."""
    return sorted(glob.glob(os.path.join(*split_pattern(pattern))))


def split_pattern(pattern: str) -> tuple[str, str]:
    """The folder that all files of a pattern are below, and the pattern from there on, which names no hidden files.

    A shell's `*` does not name them, TFX's does: `.part-0.crc`, `_SUCCESS`.

    >>> split_pattern("/data/held_out/*/part-*.gz")
    ('/data/held_out', '*/part-*.gz')
    >>> split_pattern("/data/held_out/*.gz")
    ('/data/held_out', '[!._]*.gz')
    """
    parts = Path(os.path.abspath(pattern)).parts
    literal = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    literal = min(literal, len(parts) - 1)
    name = parts[-1]
    if name[0] in "*?":
        name = "[!._]" + (name if name[0] == "*" else name[1:])
    return str(Path(*parts[:literal])), str(Path(*parts[literal:-1], name))


def _publish(run: Run, spec: ModelSpec, model: Path, *, replace: bool) -> Bundle:
    sources = bundle_files.BundleSources(
        model=str(model),
        baseline_statistics=run.node("BaselineStatisticsGen").output("statistics").uri,
        schema=run.node("ThresholdCalibrator").output("schema").uri,
        baseline_examples=run.node("HeldOutScorer").output("examples").uri,
    )
    return bundle_files.adopt(str(model), sources, spec, replace=replace)


def remember(config: AdoptionConfig, bundle: Bundle) -> Path:
    """Notes under the root what `monitor` is to compare with, and the settings that differ from the usual ones."""
    file = config.root_path / REMEMBERED
    record = read_yaml(file, "the settings of monitoring") if file.is_file() else {}
    record["bundle"] = bundle.version_dir
    changed = config.monitor.model_dump(exclude_defaults=True)
    if changed:
        record["monitor"] = {**record.get("monitor", {}), **changed}
    file.write_text(yaml.safe_dump(record, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file
