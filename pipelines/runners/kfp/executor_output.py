"""What a container says at its end: the message ExecutorOutput, which Kubeflow reads strictly, written whole or not."""

import json
import os
from collections.abc import Mapping, Sequence

from components.common.durable_files import write_whole
from components.common.errors import MonitorError, broken
from components.common.strict_text import TextError, parse_json

from .executor_input import ExecutorInput, Json
from .mends import page_of, said_to_everybody
from .places import Places

FINGERPRINT = "input_fingerprint"  # what the driver of ExampleGens says, and no executor


def make_room(path: str) -> None:
    """Sees to it that the file can be written at the end, before any work is done for it.

    What an attempt before this one has left there is removed: Kubeflow would take it for this one's.

    Raises:
      MonitorError: it cannot be written.

    """
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "xb"):
            pass
        os.unlink(path)
    except OSError as error:
        raise broken("outputs.outputFile", f"be a file that can be written: {error.strerror}", path) from error


def driver_output(path: str) -> Json:
    """What the driver of an ExampleGen has said there, as on Vertex AI alone it has; nothing, if it has not."""
    try:
        said = read_output(path)
    except MonitorError:  # what another attempt may have left
        return {}
    return said if FINGERPRINT in said.get("parameterValues", {}) else {}


def artifacts_of(output: Json) -> dict[str, list[Json]]:
    """The artifacts of a message ExecutorOutput."""
    return {key: each.get("artifacts", []) for key, each in output.get("artifacts", {}).items()}


def read_output(path: str) -> Json:
    """A message ExecutorOutput; an empty one where there is no file. Raises `MonitorError` where it holds none."""
    try:
        with open(path, encoding="utf-8") as file:
            said = parse_json(file.read())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, TextError) as error:
        raise MonitorError(f"{path} must hold a message ExecutorOutput as JSON. Received: {error}") from error
    if not isinstance(said, dict):
        raise broken(path, "hold a message ExecutorOutput as JSON", said)
    return said


def write_output(made: Mapping[str, Sequence[Json]], more: Json, given: ExecutorInput, places: Places) -> None:
    """Says what a step has made.

    Args:
      made: artifacts by output, with `uri` and `metadata`, where this machine has them.
      more: what else there is to say.
      given: what the step was given.
      places: which of these places everybody else knows by a URI.

    Raises:
      MonitorError: metadata cannot be said in JSON, or the file cannot be written.

    """
    said = {
        key: {"artifacts": [_artifact(key, each, given, places) for each in several]} for key, several in made.items()
    }
    try:
        text = json.dumps({**more, "artifacts": said}, indent=1, allow_nan=False)
    except ValueError as error:
        raise MonitorError(
            f"What a step says of its outputs must be finite numbers and text. Received: {made}"
        ) from error
    try:
        write_whole(given.output_file, text)
    except OSError as error:
        raise broken(
            "outputs.outputFile", f"be a file that can be written: {error.strerror}", given.output_file
        ) from error


def _artifact(key: str, made: Json, given: ExecutorInput, places: Places) -> Json:
    asked = given.outputs[key][0]
    local = str(made["uri"])
    page = page_of(asked.title, local, _names(local))
    said = {"name": asked.name, "uri": places.remote(page or local)}
    metadata = said_to_everybody(made.get("metadata", {}), places)
    return {key: value for key, value in {**said, "metadata": metadata}.items() if value}


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []
