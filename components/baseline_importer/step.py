"""Copies a pushed version into artifacts."""

import os
from typing import Any

from ..common import baseline_bundle
from ..common.artifacts.names import (
    IS_NONE,
    PUSHED_VERSION_PROPERTY,
    REFERENCE,
    REFERENCE_EXAMPLES,
    SERVING_MODEL_DIR,
)
from ..common.baseline_bundle import Bundle
from ..common.errors import MonitorError, require
from ..common.model_spec import ModelSpec
from ..common.object_store import places
from ..common.object_store.address import is_address
from ..common.step import Step

BUNDLE_URI_KEY = "bundle_uri"
CACHE_KEY = "cache_key"
MODEL_KEY = "model"
STATISTICS_KEY = "statistics"
BASELINE_STATISTICS_KEY = "baseline_statistics"
REFERENCE_STATISTICS_KEY = "reference_statistics"
AS_OF_KEY = "as_of"
SCHEMA_KEY = "schema"
SERVING_DIR_KEY = "serving_dir"
NEEDED_KEY = "needed"
SPEC_KEY = "spec"
NONE = "none"
NEWEST = "newest"
_STATISTICS_PARTS = {
    STATISTICS_KEY: baseline_bundle.STATISTICS_DIR,
    BASELINE_STATISTICS_KEY: baseline_bundle.BASELINE_STATISTICS_DIR,
}


def run(step: Step) -> None:
    """Imports a pushed version.

    Execution properties:
      bundle_uri: the version's folder; or a folder of versions, for the newest in it; or `newest`, for the newest in
        `serving_dir`; or `none`.
      serving_dir: where `newest` is looked for.
      needed: 0 where there may be none, which the outputs then say by the custom property `is_none`, 1.
      spec: what the version's spec must be, but for the means of its channels; left out where that is not known.
      cache_key: of TFX's cache alone; not read.
      as_of: when its bundle was made, as far as that was known beforehand: another bundle in the same folder is not
        the one that the cache has.

    Outputs, each with the custom properties `pushed_version` and `bundle_uri` (both strings):
      model: `Model`, laid out as Trainer's, without the bundle.
      statistics, baseline_statistics: `ExampleStatistics`, with the splits that the bundle has; `statistics` has
        none where the model was not trained here.
      reference_statistics: `ExampleStatistics`: what serving is compared with, which is windows of serving where the
        bundle has such, as the custom properties `reference` and
        `reference_examples` then say, and else the same as `baseline_statistics`.
      schema: `Schema`.

    Raises:
      MonitorError: if the version is not there, or its bundle is missing or damaged.

    """
    bundle = chosen(step.text(BUNDLE_URI_KEY), step.text(SERVING_DIR_KEY))
    if bundle is None:
        _give_none(step)
    else:
        _require_spec(bundle, step.text(SPEC_KEY))
        _give(step, bundle)


def chosen(bundle_uri: str, serving_dir: str = "") -> Bundle | None:
    """The bundle that the execution properties mean; None for none, or where nothing was pushed yet.

    Raises:
      MonitorError: a folder is not there or has neither a bundle nor a version, or its bundle is damaged; or the store
        of `serving_dir` cannot be reached or has no such bucket.

    """
    if bundle_uri == NONE:
        if is_address(serving_dir):  # a store that cannot be pushed to is said now, and not after the training
            places.is_folder(serving_dir)
        return None
    if bundle_uri == NEWEST:
        require(serving_dir not in ("", NEWEST, NONE), SERVING_DIR_KEY, "be a folder of versions", serving_dir)
        return baseline_bundle.newest(serving_dir)
    return baseline_bundle.find(bundle_uri)


def _give_none(step: Step) -> None:
    if step.parameters.get(NEEDED_KEY, 1):
        where = f"{step.text(BUNDLE_URI_KEY)} in {step.text(SERVING_DIR_KEY) or 'no folder'}"
        rule = "lead to a pushed version, which serving is compared with"
        raise MonitorError(f"`{BUNDLE_URI_KEY}` must {rule}. Received: {where}, where there is none")
    for key in step.outputs:
        output = step.output(key)
        output.properties[IS_NONE] = 1
        if key.endswith(STATISTICS_KEY):
            output.split_names = []


def _require_spec(bundle: Bundle, asked: str) -> None:
    if not asked:
        return
    ours, its = (_without_means(each) for each in (ModelSpec.from_json(asked, SPEC_KEY), bundle.manifest.spec))
    keys = sorted(key for key in {*ours, *its} if ours.get(key) != its.get(key))
    rule = "be of a model with the spec that the pipeline was compiled for: compile it anew for this one"
    require(not keys, bundle.version_dir, rule, f"another {', '.join(keys)}")


def _without_means(spec: ModelSpec) -> dict[str, Any]:
    """The spec's keys. The means of channels are put into a bundle by the push, as the data have them."""
    record = spec.to_record()
    record["image"].pop("channel_means", None)
    return record


def _give(step: Step, bundle: Bundle) -> None:
    outputs = {key: step.output(key) for key in step.outputs}
    step.copy_tree(bundle.version_dir, outputs[MODEL_KEY].path(SERVING_MODEL_DIR), leave_out=baseline_bundle.BUNDLE)
    for key, part in {**_STATISTICS_PARTS, REFERENCE_STATISTICS_KEY: bundle.compared_part}.items():
        if bundle.has(part):
            step.copy_tree(bundle.path(part), outputs[key].uri)
        outputs[key].split_names = bundle.splits(part)
    schema = baseline_bundle.SCHEMA_FILE
    step.copy_file(bundle.path(schema), outputs[SCHEMA_KEY].path(os.path.basename(schema)))
    if bundle.manifest.reference is not None:
        told, given = bundle.manifest.reference, outputs[REFERENCE_STATISTICS_KEY]
        given.properties |= {REFERENCE: told.words, REFERENCE_EXAMPLES: told.examples_uri}
    origin = {PUSHED_VERSION_PROPERTY: str(bundle.manifest.model_version), BUNDLE_URI_KEY: bundle.version_dir}
    for output in outputs.values():
        output.properties |= origin
