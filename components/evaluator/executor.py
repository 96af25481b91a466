"""Leaves out a baseline that is none, and what killed workers leave behind; in one process memory is bounded."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from apache_beam import Pipeline
from tfx import types
from tfx.components.evaluator import executor as evaluator_executor
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, json_utils

from ..common.artifacts.record_files import is_remote
from ..common.beam.in_process import runs_alone
from ..common.tfx_files import artifact_of
from .bounded_pipeline import BoundedPipeline

BASELINE_KEY = standard_component_specs.BASELINE_MODEL_KEY
EVALUATION_KEY = standard_component_specs.EVALUATION_KEY
EXAMPLES_KEY = standard_component_specs.EXAMPLES_KEY
SPLITS_KEY = standard_component_specs.EXAMPLE_SPLITS_KEY
Artifacts = dict[str, list[types.Artifact]]


class Executor(evaluator_executor.Executor):
    """TFX's, to which a `baseline_model` that says it is none is not shown.

    The evaluation's folder holds one evaluation: nothing of an earlier run, and no `beam-temp-...` of a killed worker.
    Where all runs in this process, memory does not grow with the images.
    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        there = [each for each in input_dict.get(BASELINE_KEY, []) if not artifact_of(each).is_none]
        others = {key: artifacts for key, artifacts in input_dict.items() if key != BASELINE_KEY}
        folders = [each.uri for each in output_dict.get(EVALUATION_KEY, [])]
        for folder in folders:
            _remove(os.path.join(folder, "*"))
        with self._read_at_once(others | ({BASELINE_KEY: there} if there else {}), exec_properties) as (inputs, told):
            super().Do(inputs, output_dict, told)
        for folder in folders:
            _remove(os.path.join(folder, "beam-temp-*"))

    @property
    def _alone(self) -> bool:
        return not self._make_beam_pipeline_fn and runs_alone(self._beam_pipeline_args)

    @contextmanager
    def _read_at_once(
        self, inputs: Artifacts, properties: dict[str, Any]
    ) -> Iterator[tuple[Artifacts, dict[str, Any]]]:
        """Inputs and properties by which TFX reads examples once, if it can: each read more, Beam would keep them all.

        It flattens what it reads of several splits and artifacts, and that is what Beam's in-process runner holds.
        """
        examples = inputs.get(EXAMPLES_KEY, [])
        splits = json_utils.loads(properties.get(SPLITS_KEY) or "null") or ["eval"]
        several = len(examples) * len(splits) > 1
        if not (several and self._alone and all(map(_linkable, examples))):
            yield inputs, properties
            return
        with tempfile.TemporaryDirectory() as folder:
            linked = _linked(examples, splits, folder)
            yield inputs | {EXAMPLES_KEY: [linked]}, properties | {SPLITS_KEY: json_utils.dumps(splits[:1])}

    def _make_beam_pipeline(self) -> Pipeline:
        made = super()._make_beam_pipeline()
        return BoundedPipeline(made.runner, made.options) if self._alone else made


def _linkable(examples: types.Artifact) -> bool:
    is_tf = examples_utils.get_payload_format(examples) == example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE
    return is_tf and not is_remote(examples.uri)


def _linked(examples: Sequence[types.Artifact], splits: Sequence[str], folder: str) -> types.Artifact:
    """Links to all files of these splits, as the first split of an artifact in `folder` that is otherwise the first."""
    found = [uri for split in splits for uri in artifact_utils.get_split_uris(examples, split)]
    linked = type(examples[0])()
    linked.copy_from(examples[0])
    linked.uri = folder
    linked.split_names = artifact_utils.encode_split_names(list(splits[:1]))
    (target,) = artifact_utils.get_split_uris([linked], splits[0])
    os.mkdir(target)
    paths = [path for uri in found for path in sorted(fileio.glob(io_utils.all_files_pattern(uri)))]
    for number, path in enumerate(path for path in paths if os.path.isfile(path)):
        os.symlink(os.path.abspath(path), os.path.join(target, f"{number}-{os.path.basename(path)}"))
    return linked


def _remove(pattern: str) -> None:
    for path in fileio.glob(pattern):
        (fileio.rmtree if fileio.isdir(path) else fileio.remove)(path)
