"""Steps that need TFX: its own entry point runs them in this process, with what it can read. TFX is not patched."""

import argparse
import importlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.common.artifacts.files import Artifact
from components.common.artifacts.splits import named_splits
from components.common.errors import MonitorError, broken, require
from components.common.strict_text import parse_json

from . import lost_folders
from .executor_input import INPUT_ARGUMENT, SPEC_ARGUMENT, Declared, ExecutorInput, Json
from .executor_output import artifacts_of, read_output
from .mends import HTML, for_tfx
from .places import Places
from .remote_input import RemoteInput
from .spans import with_range

_BASE, _CONFIG = "input_base", "input_config"
_FILE_BASED = {_BASE, _CONFIG}  # parameters of ExampleGens that read files, and of no other component
_FILE = "executor_output.json"
_KUBEFLOW = "system."  # how the names of its own types begin


@dataclass(frozen=True)
class TfxStep:
    """How an executor is run.

    Attributes:
      executor_class: its path.
      spec: what the compiler wrote down of its inputs, as it came; "" for nothing.
      beam_args: arguments for Beam.
      places: where this machine has copies.

    """

    executor_class: str
    spec: str
    beam_args: Sequence[str]
    places: Places

    def make(self, given: ExecutorInput, declared: Declared, driven: Json) -> tuple[dict[str, list[Json]], Json]:
        """Runs it and gives the artifacts that it made, and what else it says.

        Args:
          given: what it is given, mended.
          declared: what the compiler wrote down of its inputs.
          driven: what the driver of an ExampleGen has said already; nothing, if it has not run.

        Raises:
          MonitorError: the image has no TFX for Kubeflow, or not the executor, or an artifact is of no type of TFX's.
          Exception: whatever the executor raises.

        """
        _check_class(self.executor_class)
        for key, several in (*given.inputs.items(), *given.outputs.items()):
            for each in several:
                known = bool(each.title) and (each.title == HTML or not each.title.startswith(_KUBEFLOW))
                require(known, f"type of {key}", "be one that TFX has, as the compiler writes it down", each.type)
        with tempfile.TemporaryDirectory(prefix="step-") as folder:
            local = replace(for_tfx(given, self.places), output_file=os.path.join(folder, _FILE))
            _restore_folders(given, local, self.places)
            if declared.parameters.keys() >= _FILE_BASED:
                local = self._resolved(with_range(local), driven, folder)
            told = _arguments(local, self.spec, executor_class_path=self.executor_class)
            _module("container.kubeflow_v2_run_executor").main((told, list(self.beam_args)))
            said = read_output(local.output_file)
        return artifacts_of(said), {key: value for key, value in said.items() if key != "artifacts"}

    def _resolved(self, local: ExecutorInput, driven: Json, folder: str) -> ExecutorInput:
        """What the driver of ExampleGens resolves, which only Vertex AI runs by itself: span, version, fingerprint.

        Its parameters stay in the output file, where TFX's entry point looks for them. Files of a store are fetched.
        """
        base = str(local.parameters.get(_BASE) or "")
        remote = None
        if self.places.has(base):
            remote = RemoteInput.outline(base, Path(folder, "input"), _patterns(local.parameters))
            local = replace(local, parameters={**local.parameters, _BASE: str(remote.folder)})
        if driven:
            Path(local.output_file).write_text(json.dumps(driven), encoding="utf-8")
        else:
            _module("file_based_example_gen.driver").main(_arguments(local, self.spec))
        known = read_output(local.output_file)
        if remote:
            remote.fetch(_patterns({**local.parameters, **known["parameterValues"]}))
        return _with_metadata(local, known)


def _patterns(parameters: Json) -> list[str]:
    """The patterns of an ExampleGen's splits."""
    said = parse_json(str(parameters[_CONFIG]), _CONFIG)
    return [str(split["pattern"]) for split in said.get("splits", [])]


def _with_metadata(local: ExecutorInput, known: Json) -> ExecutorInput:
    """With the properties of the outputs that the driver gives them, as Vertex AI has them."""
    metadata = {key: each[0].get("metadata", {}) for key, each in artifacts_of(known).items() if each}
    outputs = {
        key: [replace(each, metadata={**each.metadata, **metadata.get(key, {})}) for each in several]
        for key, several in local.outputs.items()
    }
    return replace(local, outputs=outputs)


def _restore_folders(given: ExecutorInput, local: ExecutorInput, places: Places) -> None:
    for key, several in given.inputs.items():
        for before, after in zip(several, local.inputs[key], strict=True):
            if places.has(before.uri):
                known = Artifact(after.uri, properties={"split_names": str(after.metadata.get("split_names") or "[]")})
                lost_folders.restore(after.uri, named_splits(known))


def _check_class(path: str) -> None:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module or name), name, None)
    except ImportError as error:
        raise broken("--executor_class_path", f"be a class that the image holds: {error}", path) from error
    require(isinstance(found, type), "--executor_class_path", "be a class that the image holds", path)


def _arguments(local: ExecutorInput, spec: str, **more: str) -> argparse.Namespace:
    said: dict[str, Any] = {INPUT_ARGUMENT: json.dumps(local.to_json()), SPEC_ARGUMENT: spec, **more}
    return argparse.Namespace(**said)


def _module(name: str) -> Any:
    """One of TFX's modules for Kubeflow."""
    try:
        return importlib.import_module(f"tfx.orchestration.kubeflow.v2.{name}")
    except ModuleNotFoundError as error:
        rule = "the image must hold TFX and kfp-pipeline-spec, which the extra `kfp` installs"
        raise MonitorError(f"This step runs in TFX: {rule}. Received: {error}") from error
