"""Copies a pushed version into artifacts."""

import os

from ..common import baseline_bundle
from ..common.artifacts.names import REFERENCE, REFERENCE_EXAMPLES, SERVING_MODEL_DIR
from ..common.step import Step

BUNDLE_URI_KEY = "bundle_uri"
CACHE_KEY = "cache_key"
MODEL_KEY = "model"
STATISTICS_KEY = "statistics"
BASELINE_STATISTICS_KEY = "baseline_statistics"
REFERENCE_STATISTICS_KEY = "reference_statistics"
AS_OF_KEY = "as_of"
SCHEMA_KEY = "schema"
PUSHED_VERSION_PROPERTY = "pushed_version"
_STATISTICS_PARTS = {
    STATISTICS_KEY: baseline_bundle.STATISTICS_DIR,
    BASELINE_STATISTICS_KEY: baseline_bundle.BASELINE_STATISTICS_DIR,
}


def run(step: Step) -> None:
    """Imports a pushed version.

    Execution properties:
      bundle_uri: the version's folder.
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
    bundle = baseline_bundle.read(step.parameter(BUNDLE_URI_KEY))
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
