"""Moves a blessed model and what it was judged by into the serving folder."""

import os

from absl import logging

from ..common import baseline_bundle
from ..common.artifacts.files import Artifact, Files
from ..common.artifacts.model_files import saved_model_folder
from ..common.artifacts.names import CURRENT_MODEL
from ..common.errors import require
from ..common.lasting import VOLUMES_KEY, require_lasting
from ..common.model_spec import ModelSpec
from ..common.step import Step
from . import bundle_files
from .bundle_files import BundleSources, Run
from .destination import PUSH_DESTINATION_KEY, base_directory
from .publish import publish

MODEL_KEY = "model"
MODEL_BLESSING_KEY = "model_blessing"
STATISTICS_KEY = "statistics"
BASELINE_STATISTICS_KEY = "baseline_statistics"
BASELINE_EXAMPLES_KEY = "baseline_examples"
SCHEMA_KEY = "schema"
EVALUATION_KEY = "evaluation"
PUSHED_MODEL_KEY = "pushed_model"
SPEC_KEY = "spec"
RUN_KEY = "run_key"
JUDGED_AGAINST_KEY = "judged_against"
BASELINE_MODEL_KEY = "baseline_model"
# As TFX's Pusher calls them.
PUSHED, PUSHED_DESTINATION, PUSHED_VERSION = "pushed", "pushed_destination", "pushed_version"


def run(step: Step) -> None:
    """TFX's Pusher, except that a version appears whole or not at all and brings its baseline bundle.

    Inputs: model, model_blessing (required: without one nothing is pushed), baseline_statistics, schema; statistics,
      evaluation, baseline_examples and baseline_model, BaselineImporter's, where the pipeline has them.

    Outputs:
      pushed_model: a copy of the model, with TFX's custom properties `pushed` (1 or 0), `pushed_destination` (the
        version's folder) and `pushed_version`.

    Execution properties:
      push_destination: a `PushDestination` as JSON, or its folder alone: of a local or mounted file system, or of an
        object store.
      spec: the model's `ModelSpec` as JSON; goes into the bundle, with the baseline's channel means where it has none.
      run_key: what `baseline_bundle.choose_baseline` tells a repeated run by.
      judged_against: the pushed version that was the model's baseline; empty when there was none, or where
        baseline_model says it.
      volumes: where the step's file system ends with it, the folders that last, as a JSON list; left out elsewhere.

    Raises:
      MonitorError: if the blessing is missing or is another model's, the model is no SavedModel, the destination is no
        such folder, or another push to a store has won meanwhile. An unblessed model is no error; it is marked as not
        pushed.

    """
    pushed = step.output(PUSHED_MODEL_KEY)
    if not _is_blessed(step):
        pushed.properties[PUSHED] = 0
        return
    serving_dir = base_directory(step.parameter(PUSH_DESTINATION_KEY))
    require_lasting(serving_dir, step.text(VOLUMES_KEY), PUSH_DESTINATION_KEY)
    spec = ModelSpec.from_json(step.parameter(SPEC_KEY), SPEC_KEY)
    model = saved_model_folder(step.input(MODEL_KEY), step.files)
    _require_saved_model(model, step.files)
    # The archive first: once the version is published, nothing may fail that is not the file system's doing.
    step.copy_tree(model, pushed.uri)
    version = _publish(step, model, serving_dir, spec)
    destination = os.path.join(serving_dir, str(version))
    pushed.properties |= {PUSHED: 1, PUSHED_DESTINATION: destination, PUSHED_VERSION: str(version)}
    logging.info("Pushed to %s.", destination)


def _publish(step: Step, model: str, serving_dir: str, spec: ModelSpec) -> int:
    sources, run = _sources(step), _run(step)

    def fill(folder: str) -> None:
        # A model that was pushed once and imported may carry the bundle of then.
        step.copy_tree(model, folder, leave_out=baseline_bundle.BUNDLE)
        bundle_files.copy_parts(sources, os.path.join(folder, baseline_bundle.BUNDLE), step)

    def seal(folder: str, number: int) -> None:
        bundle = os.path.join(folder, baseline_bundle.BUNDLE)
        bundle_files.write_manifest(sources, bundle, spec, number, run=run, step=step)
        baseline_bundle.read(folder)  # what cannot be read back must not be published

    return publish(serving_dir, fill, seal)


def _is_blessed(step: Step) -> bool:
    """Whether the model is blessed. Unlike TFX's Pusher, fails when there is no blessing, or it is another model's."""
    blessings = step.inputs.get(MODEL_BLESSING_KEY, ())
    require(len(blessings) == 1, MODEL_BLESSING_KEY, "hold one blessing", [each.uri for each in blessings])
    model, [blessing] = step.input(MODEL_KEY), blessings
    about = str(blessing.properties.get(CURRENT_MODEL) or "")
    require(not about or model.is_at(about), MODEL_BLESSING_KEY, f"be about the model {model.known_as}", about)
    blessed = blessing.properties.get("blessed") == 1
    if not blessed:
        logging.info("Nothing is pushed: %s does not bless the model.", blessing.known_as)
    return blessed


def _run(step: Step) -> Run:
    return Run(
        run_key=step.text(RUN_KEY),
        judged_against=_baseline(step) or step.text(JUDGED_AGAINST_KEY) or None,
        pipeline_name=step.pipeline or None,
        pipeline_run_id=step.run_id or None,
    )


def _baseline(step: Step) -> str:
    """The version that BaselineImporter has imported; "" where that is none, or it is not connected."""
    imported = step.optional(BASELINE_MODEL_KEY)
    return "" if imported is None or imported.is_none else str(imported.properties.get("bundle_uri", ""))


def _require_saved_model(path: str, files: Files) -> None:
    present = any(files.there(f"{path}/{name}") for name in baseline_bundle.MODEL_FILES)
    require(present, MODEL_KEY, f"hold a SavedModel ({' or '.join(baseline_bundle.MODEL_FILES)})", path)


def _sources(step: Step) -> BundleSources:
    return BundleSources(
        model=step.input(MODEL_KEY).known_as,
        baseline_statistics=step.input(BASELINE_STATISTICS_KEY).uri,
        schema=step.input(SCHEMA_KEY).uri,
        statistics=_uri(step.optional(STATISTICS_KEY)),
        evaluation=_uri(step.optional(EVALUATION_KEY)),
        blessing=step.input(MODEL_BLESSING_KEY).uri,
        baseline_examples=_known_as(step.optional(BASELINE_EXAMPLES_KEY)),
    )


def _uri(artifact: Artifact | None) -> str | None:
    return None if artifact is None else artifact.uri


def _known_as(artifact: Artifact | None) -> str | None:
    return None if artifact is None else artifact.known_as
