"""Moves a blessed model and what it was judged by into the serving folder."""

import os
import re
from typing import Any

from absl import logging
from tfx import types
from tfx.components.evaluator import constants as evaluator_constants
from tfx.components.pusher import executor as pusher_executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils

from ..common import baseline_bundle
from ..common.artifacts.record_files import is_remote
from ..common.errors import MonitorError, require
from ..common.model_spec import ModelSpec
from ..common.object_store.address import is_address, parse
from . import bundle_files
from .bundle_files import BundleSources, Run
from .publish import publish

MODEL_KEY = standard_component_specs.MODEL_KEY
MODEL_BLESSING_KEY = standard_component_specs.MODEL_BLESSING_KEY
STATISTICS_KEY = standard_component_specs.STATISTICS_KEY
BASELINE_STATISTICS_KEY = "baseline_statistics"
BASELINE_EXAMPLES_KEY = "baseline_examples"
SCHEMA_KEY = standard_component_specs.SCHEMA_KEY
EVALUATION_KEY = standard_component_specs.EVALUATION_KEY
PUSHED_MODEL_KEY = standard_component_specs.PUSHED_MODEL_KEY
PUSH_DESTINATION_KEY = standard_component_specs.PUSH_DESTINATION_KEY
SPEC_KEY = "spec"
RUN_KEY = "run_key"
JUDGED_AGAINST_KEY = "judged_against"
Artifacts = dict[str, list[types.Artifact]]


class Executor(pusher_executor.Executor):
    """TFX's Pusher, except that a version appears whole or not at all and brings its baseline bundle.

    Inputs: model, model_blessing (required: without one nothing is pushed), baseline_statistics, schema; statistics,
      evaluation and baseline_examples where the pipeline has them.

    Outputs:
      pushed_model: a copy of the model, with TFX's custom properties `pushed` (1 or 0), `pushed_destination` (the
        version's folder) and `pushed_version`.

    Execution properties:
      push_destination: a `PushDestination` as JSON: a folder of a local or mounted file system, or of an object store.
      spec: the model's `ModelSpec` as JSON; goes into the bundle, with the baseline's channel means where it has none.
      run_key: what `baseline_bundle.choose_baseline` tells a repeated run by.
      judged_against: the pushed version that was the model's baseline; empty when there was none.

    Raises:
      MonitorError: if the blessing is missing or is another model's, the model is no SavedModel, the destination is no
        such folder, or another push to a store has won meanwhile. An unblessed model is no error; it is marked as not
        pushed.

    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        serving_dir = base_directory(exec_properties[PUSH_DESTINATION_KEY])
        spec = ModelSpec.from_json(exec_properties[SPEC_KEY], SPEC_KEY)
        model_path = self.GetModelPath(input_dict)
        _require_saved_model(model_path)
        # The archive first: once the version is published, nothing may fail that is not the file system's doing.
        io_utils.copy_dir(model_path, pushed.uri)
        sources, run = _sources(input_dict), self._run(exec_properties)

        def fill(folder: str) -> None:
            _copy_model(model_path, folder)
            bundle_files.copy_parts(sources, os.path.join(folder, baseline_bundle.BUNDLE))

        def seal(folder: str, number: int) -> None:
            bundle_files.write_manifest(sources, os.path.join(folder, baseline_bundle.BUNDLE), spec, number, run)
            baseline_bundle.read(folder)  # what cannot be read back must not be published

        version = publish(serving_dir, fill, seal)
        destination = os.path.join(serving_dir, str(version))
        self._MarkPushed(pushed, pushed_destination=destination, pushed_version=str(version))
        logging.info("Pushed to %s.", destination)

    def CheckBlessing(self, input_dict: Artifacts) -> bool:
        """Whether the model is blessed. Unlike TFX's, fails when there is no blessing, or it is another model's."""
        blessings = input_dict.get(MODEL_BLESSING_KEY) or []
        require(len(blessings) == 1, MODEL_BLESSING_KEY, "hold one blessing", blessings)
        key = evaluator_constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY
        about = blessings[0].get_string_custom_property(key)
        model = artifact_utils.get_single_uri(input_dict[MODEL_KEY])
        require(not about or about == model, MODEL_BLESSING_KEY, f"be about the model {model}", about)
        blessed: bool = super().CheckBlessing(input_dict)
        return blessed

    def _run(self, properties: dict[str, Any]) -> Run:
        pipeline = self._context.pipeline_info if self._context else None
        return Run(
            run_key=properties.get(RUN_KEY) or "",
            judged_against=properties.get(JUDGED_AGAINST_KEY) or None,
            pipeline_name=pipeline.id if pipeline else None,
            pipeline_run_id=self._context.pipeline_run_id if self._context else None,
        )


def base_directory(push_destination: str) -> str:
    """The serving folder that a `PushDestination`, given as JSON, names.

    Raises:
      MonitorError: unless it is a folder of this machine or of an object store, with TFX's default versioning.

    """
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(push_destination, destination)
    kind = destination.WhichOneof("destination")
    require(kind == "filesystem", PUSH_DESTINATION_KEY, "have a filesystem", kind)
    known = (pusher_pb2.Versioning.AUTO, pusher_pb2.Versioning.UNIX_TIMESTAMP)
    versioning = destination.filesystem.versioning
    require(versioning in known, "versioning", "be AUTO or UNIX_TIMESTAMP", versioning)
    folder: str = destination.filesystem.base_directory
    if not folder or (is_remote(folder) and not is_address(folder)):
        raise MonitorError(
            "`push_destination.filesystem.base_directory` must be a path on a local or mounted POSIX file system, in "
            "which renaming is atomic, or a folder of an object store, such as s3://bucket/serving, gs:// or minio://. "
            f"Received: {folder!r}"
        )
    return str(parse(folder, "push_destination.filesystem.base_directory")) if is_remote(folder) else folder


def _uri_or_none(artifacts: list[types.Artifact] | None) -> str | None:
    return artifact_utils.get_single_uri(artifacts) if artifacts else None


def _require_saved_model(path: str) -> None:
    present = any(fileio.exists(os.path.join(path, name)) for name in baseline_bundle.MODEL_FILES)
    require(present, MODEL_KEY, f"hold a SavedModel ({' or '.join(baseline_bundle.MODEL_FILES)})", path)


def _sources(inputs: Artifacts) -> BundleSources:
    return BundleSources(
        model=artifact_utils.get_single_uri(inputs[MODEL_KEY]),
        baseline_statistics=artifact_utils.get_single_uri(inputs[BASELINE_STATISTICS_KEY]),
        schema=artifact_utils.get_single_uri(inputs[SCHEMA_KEY]),
        statistics=_uri_or_none(inputs.get(STATISTICS_KEY)),
        evaluation=_uri_or_none(inputs.get(EVALUATION_KEY)),
        blessing=artifact_utils.get_single_uri(inputs[MODEL_BLESSING_KEY]),
        baseline_examples=_uri_or_none(inputs.get(BASELINE_EXAMPLES_KEY)),
    )


def _copy_model(model_path: str, folder: str) -> None:
    # A model that was pushed once and imported may carry the bundle of then.
    carried = "^" + re.escape(os.path.join(model_path.rstrip("/"), baseline_bundle.BUNDLE)) + "(/|$)"
    io_utils.copy_dir(model_path, folder, deny_regex_patterns=[carried])
