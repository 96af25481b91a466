"""Reads what the gate judges: TFMA's and TFDV's files, and the SavedModel. Whatever fails is an `UnreadableError`."""

import json
import os

import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.evaluator import constants as evaluator_constants
from tfx.components.example_validator import executor as example_validator
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from ..common.errors import MonitorError
from ..common.verdict import Finding
from .anomalies import Anomaly, anomalies_in
from .evaluation import Blessing, validation_findings

_READ_ERRORS = (OSError, DecodeError, text_format.ParseError, tf.errors.OpError, UnicodeDecodeError)
_TEXT_FILE = "anomalies.pbtxt"  # what TFX wrote before SchemaDiff.pb
_EVAL_RUN_FILE = "eval_config.json"


class UnreadableError(MonitorError):
    """An input that is missing, damaged or empty. Its message says which file and why."""


def anomaly_types() -> list[str]:
    """Every name that the installed `tensorflow_metadata` has for an anomaly."""
    return list(anomalies_pb2.AnomalyInfo.Type.keys())


def splits(artifact: types.Artifact) -> list[str]:
    """The splits an `ExampleAnomalies` artifact names, and those it has a directory for without naming them."""
    named = set(artifact_utils.decode_split_names(artifact.split_names))
    prefix = "Split-"
    try:
        present = {name.rstrip("/") for name in fileio.listdir(artifact.uri)} if fileio.exists(artifact.uri) else set()
    except _READ_ERRORS as error:
        raise UnreadableError(f"{artifact.uri} cannot be listed: {error}") from error
    return sorted(named | {name[len(prefix) :] for name in present if name.startswith(prefix)})


def anomalies(artifact: types.Artifact, split: str) -> list[Anomaly]:
    """The anomalies of one split."""
    folder = os.path.join(artifact.uri, f"Split-{split}")
    path = os.path.join(folder, example_validator.DEFAULT_FILE_NAME)
    text_path = os.path.join(folder, _TEXT_FILE)
    only_text = fileio.exists(text_path) and not fileio.exists(path)
    proto = _parse_text(text_path) if only_text else _parse_binary(path)
    if proto.data_missing:
        raise UnreadableError(f"{folder} says that there was no data to validate")
    return list(anomalies_in(proto))


def evaluation_findings(uri: str) -> list[Finding]:
    """What TFMA's validation result in an evaluation has against the model."""
    try:
        result = tfma.load_validation_result(uri)
    except AssertionError as error:  # how TFMA says that there is none, or more than one
        raise UnreadableError(f"{uri} does not hold exactly one validation result") from error
    except _READ_ERRORS as error:
        raise UnreadableError(f"the validation result in {uri} cannot be read: {error}") from error
    return list(validation_findings(result))


def has_baseline(uri: str) -> bool:
    """Whether an evaluation compared the model with a baseline, as the configuration that TFMA keeps with it tells."""
    path = os.path.join(uri, _EVAL_RUN_FILE)
    try:
        with fileio.open(path) as file:
            models = json.loads(file.read())["evalConfig"].get("modelSpecs", [])
        return any(model.get("isBaseline", False) for model in models)
    except (*_READ_ERRORS, json.JSONDecodeError, KeyError, AttributeError, TypeError) as error:
        raise UnreadableError(f"{path} cannot be read: {error!r}") from error


def blessing(artifact: types.Artifact) -> Blessing:
    """What the Evaluator's `ModelBlessing` says."""
    key = evaluator_constants.ARTIFACT_PROPERTY_BLESSED_KEY
    says = artifact.has_custom_property(key)
    return Blessing(
        blessed=artifact.get_int_custom_property(key) == evaluator_constants.BLESSED_VALUE if says else None,
        model=artifact.get_string_custom_property(evaluator_constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY),
        has_baseline=artifact.has_custom_property(evaluator_constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY),
    )


def _parse_binary(path: str) -> anomalies_pb2.Anomalies:
    content = _content(path)
    proto = anomalies_pb2.Anomalies()
    try:
        proto.ParseFromString(content)
    except DecodeError as error:
        raise UnreadableError(f"{path} is not an Anomalies message: {error}") from error
    return proto


def _parse_text(path: str) -> anomalies_pb2.Anomalies:
    try:
        return text_format.Parse(_content(path).decode(), anomalies_pb2.Anomalies())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path} is not an Anomalies message in text form: {error}") from error


def _content(path: str) -> bytes:
    try:
        with fileio.open(path, "rb") as file:
            content: bytes = file.read()
    except _READ_ERRORS as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from error
    if not content:
        # TFDV writes the schema's features along, so that even "no anomaly" takes some bytes.
        raise UnreadableError(f"{path} is empty")
    return content
