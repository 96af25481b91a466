"""Moves log files into and Examples, dead letters and anomalies out of `ServingLogExampleGen`."""

import os
from typing import Any

import apache_beam as beam
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx import types
from tfx.components.example_gen import utils, write_split
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils, writer_utils

from ..common.artifacts.names import PUSHED_VERSION_PROPERTY
from ..common.artifacts.record_files import Chosen, choose, is_remote
from ..common.artifacts.splits import split_path
from ..common.beam.executor import BeamExecutor
from ..common.beam.hand_back import HandBack
from ..common.beam.in_process import runs_alone
from ..common.beam.shards import KeepRows, Shards, shards_of
from ..common.errors import MonitorError, require
from ..common.model_spec import IMAGE
from ..common.records.log_counts import COUNTS_JSON, DEAD_LETTERS
from ..common.strict_text import parse_json
from ..common.tfx_files import artifact_of
from .convert_logs import FILES, ROWS, ConvertLogs, convert_here
from .read_options import MODEL_VERSION, ReadOptions
from .read_parts import TALLY, UNFINISHED
from .span_anomalies import SpanAnomaly, judge
from .tally import ALL_COUNTS, Tally, merged

SPLIT = "serving"
ANOMALIES_KEY = standard_component_specs.ANOMALIES_KEY
BASELINE_KEY = "baseline"
_TALLY = "tally"  # beside the rows while they are written


class Executor(BeamExecutor):
    """Reads one span of serving logs.

    Input: none, for the log files are external; or `baseline`, a `Schema` by a BaselineImporter, of whose version the
      rows are taken.

    Output artifacts:
      examples: `Examples` with the one split `serving`; each count of `tally.ALL_COUNTS` is a custom property.
      anomalies: `ExampleAnomalies`; `Split-serving/SchemaDiff.pb`, and beside it `counts.json` and `dead_letters/`.

    Execution properties: `input_base`, `input_config`, `span` as for every file-based ExampleGen; those of
    `ReadOptions`.

    Raises:
      MonitorError: the pattern matches nothing but folders, or files of the same name, which would give the same ids.

    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        options = ReadOptions.from_properties({**exec_properties, **_version_of(input_dict)})
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        anomalies = artifact_utils.get_single_instance(output_dict[ANOMALIES_KEY])
        _describe(examples, anomalies, exec_properties)
        counts = os.path.join(anomalies.uri, COUNTS_JSON)
        chosen = log_files(exec_properties)
        told = (Tally.of_files(chosen), options, anomalies.uri)
        letters = os.path.join(anomalies.uri, DEAD_LETTERS)
        if fileio.exists(letters):
            fileio.rmtree(letters)  # of a run that was killed
        with shards_of(examples.uri, [SPLIT]) as shards:
            if runs_alone(self._beam_pipeline_args):
                tally = Tally()
                shards[SPLIT].write_here(convert_here(chosen.files, options, letters, tally))
            else:
                tally = self._convert(chosen.files, options, letters, shards[SPLIT])
            _write_verdict(tally, *told)
        _sweep(letters)
        with fileio.open(counts) as file:
            totals = parse_json(file.read())
        for name in ALL_COUNTS:
            examples.set_int_custom_property(name, totals[name])

    def _convert(self, files: list[str], options: ReadOptions, letters: str, shards: Shards) -> Tally:
        """Writes the rows with Beam; what was counted, for this process to judge: workers import no TFX."""
        counted = HandBack(shards.scratch, _TALLY)
        with self._make_beam_pipeline() as pipeline:
            paths = pipeline | "Files" >> beam.Create(files)
            found = paths | "Convert" >> ConvertLogs(options, letters, shards.scratch)
            _ = (found[FILES], found[ROWS]) | "Keep" >> KeepRows(shards)
            _ = found[TALLY] | counted
        tally: Tally = counted.take()
        return tally


def _sweep(letters: str) -> None:
    """Removes what a worker had begun that was killed; another one has done its work again."""
    for path in fileio.glob(os.path.join(letters, f"*{UNFINISHED}")):
        fileio.remove(path)


def _version_of(inputs: dict[str, list[types.Artifact]]) -> dict[str, int]:
    """The version that a BaselineImporter has imported, as the execution property; nothing where none is connected."""
    if BASELINE_KEY not in inputs:
        return {}
    baseline = artifact_of(artifact_utils.get_single_instance(inputs[BASELINE_KEY]))
    found = str(baseline.properties.get(PUSHED_VERSION_PROPERTY, ""))
    require(found.isdecimal(), BASELINE_KEY, "be the schema of a pushed version, as BaselineImporter gives it", found)
    return {MODEL_VERSION: int(found)}


def log_files(exec_properties: dict[str, Any]) -> Chosen:
    """The files of the span, and what lies beside them.

    Raises:
      MonitorError: there are files of the same name, or folders only.

    """
    config = proto_utils.json_to_proto(
        exec_properties[standard_component_specs.INPUT_CONFIG_KEY], example_gen_pb2.Input()
    )
    pattern = os.path.join(exec_properties[standard_component_specs.INPUT_BASE_KEY], config.splits[0].pattern)
    chosen = choose(fileio.glob(pattern))
    for path in [path for path in chosen.files if is_remote(path) and fileio.isdir(path)]:
        chosen.files.remove(path)
        chosen.refused[path] = "a folder"
    folders = [path for path in chosen.refused if fileio.isdir(path)]
    if folders and not chosen.files:
        raise MonitorError(f"The pattern of serving logs must match files, not folders. Received: {folders[0]}")
    files: dict[str, str] = {}
    for path in chosen.files:
        name = os.path.basename(path)
        if name in files:
            rule = "Files of one span must have different names, for these make the ids of requests without one"
            raise MonitorError(f"{rule}. Received: {files[name]} and {path}")
        files[name] = path
    return chosen


def _describe(examples: types.Artifact, anomalies: types.Artifact, exec_properties: dict[str, Any]) -> None:
    for artifact in (examples, anomalies):
        artifact.split_names = artifact_utils.encode_split_names([SPLIT])
        artifact.span = int(exec_properties.get(utils.SPAN_PROPERTY_NAME) or 0)
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP))


def _write_verdict(tally: Tally, of_files: Tally, options: ReadOptions, uri: str) -> None:
    """Writes the counts and the anomalies.

    Raises:
      MonitorError: the counts do not add up, which would be a mistake of this package and no verdict on the logs.

    """
    tally = merged([tally, of_files])
    if not tally.balances():
        raise MonitorError(f"The counts of a span must add up. Received: {tally.to_json()}")
    io_utils.write_string_file(os.path.join(uri, COUNTS_JSON), tally.to_json())
    found = judge(tally, options.spec, options.max_broken_fraction)
    path = os.path.join(split_path(uri, SPLIT), DEFAULT_FILE_NAME)
    writer_utils.write_anomalies(path, to_proto(found))


def to_proto(found: list[SpanAnomaly]) -> anomalies_pb2.Anomalies:
    """The anomalies as `tfdv.display_anomalies` and PushGate read them: each under a key of its own.

    As TFDV does, a schema goes along; a message without any anomaly would otherwise be an empty file.
    """
    proto = anomalies_pb2.Anomalies(
        anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH,
        baseline=schema_pb2.Schema(feature=[schema_pb2.Feature(name=IMAGE, type=schema_pb2.BYTES)]),
    )
    for anomaly in found:
        info = proto.dataset_anomaly_info
        if anomaly.feature:
            info = proto.anomaly_info[f"{anomaly.feature}: {anomaly.short}"]
            info.path.step.append(anomaly.feature)
        info.severity = anomalies_pb2.AnomalyInfo.Severity.Value(anomaly.severity)
        info.short_description = anomaly.short
        info.description = anomaly.description
        info.reason.add(
            type=anomalies_pb2.AnomalyInfo.Type.Value(anomaly.type),
            short_description=anomaly.short,
            description=anomaly.description,
        )
    return proto
