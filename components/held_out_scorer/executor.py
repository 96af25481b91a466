"""Moves examples and a model in and scored examples out of `HeldOutScorer`."""

import json
import os
from typing import Any

import apache_beam as beam
from absl import logging
from tfx import types
from tfx.components.example_gen import write_split
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, path_utils

from ..common.baseline_bundle import MODEL_FILES
from ..common.beam.executor import BeamExecutor
from ..common.beam.in_process import runs_alone
from ..common.beam.shards import WriteShards, shards_of
from ..common.errors import MonitorError, require
from ..common.model_spec import ModelSpec
from ..common.strict_text import parse_json
from ..common.tfx_files import split_files, splits_of
from .score_examples import ROWS, TALLY, ModelHandle, ScoreExamples
from .tally import Tally, require_usable

EXAMPLES_KEY = "held_out_examples"  # an input and an output of one component cannot have the same name
MODEL_KEY = standard_component_specs.MODEL_KEY
OUTPUT_EXAMPLES_KEY = standard_component_specs.EXAMPLES_KEY
SPEC_KEY = "spec"
SPLITS_KEY = "splits"
LOGGED_KEY = "logged"
COUNTS_FILE = "scored-{}.json"  # of a split, beside the folders of the splits
Artifacts = dict[str, list[types.Artifact]]


class Executor(BeamExecutor):
    """Asks a model about the examples of some splits.

    Inputs:
      held_out_examples: `Examples` of tf.Examples in TFRecord files.
      model: the `Model`.

    Outputs:
      examples: `Examples` of canonical rows with the splits that were scored, the span of the input, and the custom
        properties `examples` and `scored`, how many there are and how many carry an answer.

    Execution properties: `spec`, the model's `ModelSpec` as JSON; `splits`, a JSON list; `logged`, 1 where the examples
    are ServingLogExampleGen's.

    Raises:
      MonitorError: the model cannot be loaded, its signature does not fit the spec, the examples are of another payload
        or lack the split, or more than 1 % of a split's images, labels or answers cannot be used.

    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict[EXAMPLES_KEY])
        output = artifact_utils.get_single_instance(output_dict[OUTPUT_EXAMPLES_KEY])
        spec = ModelSpec.from_json(exec_properties[SPEC_KEY], SPEC_KEY)
        logged = bool(exec_properties[LOGGED_KEY])
        splits = parse_json(exec_properties[SPLITS_KEY])
        files = {split: _files(examples, split) for split in splits}
        handle = ModelHandle(_model_path(input_dict), spec)
        asker = handle.acquire()  # before the pipeline, so that what does not fit is said at once, and by us
        _describe(output, examples, splits)
        alone = runs_alone(self._beam_pipeline_args)
        with shards_of(output.uri, splits) as shards, self._make_beam_pipeline() as pipeline:
            for split, paths in files.items():
                scored = (
                    pipeline
                    | f"Files[{split}]" >> beam.Create(paths)
                    | f"Score[{split}]" >> ScoreExamples(handle, logged=logged, alone=alone)
                )
                _ = scored[ROWS] | f"Write[{split}]" >> WriteShards(shards[split])
                told = spec, (spec.rows if logged else spec).image.feature, split, output.uri
                _ = scored[TALLY] | f"Judge[{split}]" >> beam.Map(_write_counts, *told)
        del asker  # held until here: workers in this process share it
        counts = [_read_counts(output, split) for split in splits]
        for name in ("examples", "scored"):
            output.set_int_custom_property(name, sum(each[name] for each in counts))


def _write_counts(tally: Tally, spec: ModelSpec, image_feature: str, split: str, uri: str) -> None:
    """Writes the counts and what is wrong with the split, for the executor to raise: Beam would bury it in its own."""
    try:
        require_usable(tally, spec, image_feature, split)
        refused = ""
    except MonitorError as error:
        refused = str(error)
    record = {
        "examples": tally.examples,
        "scored": tally.scored,
        "images": tally.images.words,
        "labels": tally.labels.words,
        "answers": tally.predictions.words,
        "refused": refused,
    }
    io_utils.write_string_file(os.path.join(uri, COUNTS_FILE.format(split)), json.dumps(record, ensure_ascii=False))


def _read_counts(output: types.Artifact, split: str) -> dict[str, Any]:
    with fileio.open(os.path.join(output.uri, COUNTS_FILE.format(split))) as file:
        record: dict[str, Any] = parse_json(file.read())
    if record["refused"]:
        raise MonitorError(record["refused"])
    unusable = {key: record[key] for key in ("images", "labels", "answers") if record[key]}
    if unusable:
        logging.warning("Of split %s, some could not be used: %s", split, unusable)
    return record


def _files(examples: types.Artifact, split: str) -> list[str]:
    known = splits_of(examples)
    require(split in known, SPLITS_KEY, f"name splits of the examples, {', '.join(known)}", split)
    return split_files(examples, split)


def _model_path(inputs: Artifacts) -> str:
    model = artifact_utils.get_single_instance(inputs[MODEL_KEY])
    if any(fileio.exists(os.path.join(model.uri, name)) for name in MODEL_FILES):
        return str(model.uri)  # a served version that was imported, and not what a Trainer writes
    return str(path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)))


def _describe(output: types.Artifact, examples: types.Artifact, splits: list[str]) -> None:
    output.split_names = artifact_utils.encode_split_names(splits)
    output.span = examples.span
    examples_utils.set_payload_format(output, example_gen_pb2.FORMAT_TF_EXAMPLE)
    file_format = write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP)
    examples_utils.set_file_format(output, file_format)
