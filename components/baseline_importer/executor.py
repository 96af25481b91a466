"""Copies a pushed version into artifacts."""

import os
import re
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, path_utils

from ..common import baseline_bundle
from ..common.artifacts.names import REFERENCE, REFERENCE_EXAMPLES

BUNDLE_URI_KEY = "bundle_uri"
CACHE_KEY = "cache_key"
MODEL_KEY = standard_component_specs.MODEL_KEY
STATISTICS_KEY = standard_component_specs.STATISTICS_KEY
BASELINE_STATISTICS_KEY = "baseline_statistics"
REFERENCE_STATISTICS_KEY = "reference_statistics"
AS_OF_KEY = "as_of"
SCHEMA_KEY = standard_component_specs.SCHEMA_KEY
PUSHED_VERSION_PROPERTY = "pushed_version"
Artifacts = dict[str, list[types.Artifact]]
_STATISTICS_PARTS = {
    STATISTICS_KEY: baseline_bundle.STATISTICS_DIR,
    BASELINE_STATISTICS_KEY: baseline_bundle.BASELINE_STATISTICS_DIR,
}


class Executor(base_executor.BaseExecutor):
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

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        bundle = baseline_bundle.read(exec_properties[BUNDLE_URI_KEY])
        outputs = {key: artifact_utils.get_single_instance(artifacts) for key, artifacts in output_dict.items()}
        schema = outputs[SCHEMA_KEY]
        _copy_model(bundle.version_dir, outputs[MODEL_KEY])
        for key, part in {**_STATISTICS_PARTS, REFERENCE_STATISTICS_KEY: bundle.compared_part}.items():
            if bundle.has(part):
                io_utils.copy_dir(bundle.path(part), outputs[key].uri)
            outputs[key].split_names = artifact_utils.encode_split_names(bundle.splits(part))
        name = os.path.basename(baseline_bundle.SCHEMA_FILE)
        io_utils.copy_file(bundle.path(baseline_bundle.SCHEMA_FILE), os.path.join(schema.uri, name), overwrite=True)
        if bundle.manifest.reference is not None:
            told, given = bundle.manifest.reference, outputs[REFERENCE_STATISTICS_KEY]
            given.set_string_custom_property(REFERENCE, told.words)
            given.set_string_custom_property(REFERENCE_EXAMPLES, told.examples_uri)
        for artifact in outputs.values():
            artifact.set_string_custom_property(PUSHED_VERSION_PROPERTY, str(bundle.manifest.model_version))
            artifact.set_string_custom_property(BUNDLE_URI_KEY, bundle.version_dir)


def _copy_model(version_dir: str, model: types.Artifact) -> None:
    source = version_dir.rstrip("/")
    without_bundle = "^" + re.escape(os.path.join(source, baseline_bundle.BUNDLE)) + "(/|$)"
    io_utils.copy_dir(source, path_utils.serving_model_dir(model.uri), deny_regex_patterns=[without_bundle])
