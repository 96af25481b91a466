"""Puts the files of several `Examples` beside each other."""

import os
from typing import Any

from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs

from ..common.errors import MonitorError, require
from ..common.tfx_files import split_files

EXAMPLES_KEY = "windows"  # an input and an output of one component cannot have the same name
OUTPUT_EXAMPLES_KEY = standard_component_specs.EXAMPLES_KEY
SPLIT_KEY = "split"
Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Copies the files of each window, as they are, into one split.

    Inputs:
      windows: any number of `Examples`, each with one split, all of one payload format.

    Outputs:
      examples: one `Examples` with the split `split`, which holds all of them, in the order of the inputs.

    Execution properties:
      split: the name of the split that is written.

    Raises:
      MonitorError: a window has not exactly one split or no file, or is of another payload format than the first.

    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        self._log_startup(input_dict, output_dict, exec_properties)
        windows = input_dict[EXAMPLES_KEY]
        joined = artifact_utils.get_single_instance(output_dict[OUTPUT_EXAMPLES_KEY])
        payloads = {examples_utils.get_payload_format(each) for each in windows}
        require(len(payloads) == 1, EXAMPLES_KEY, "be of one payload format", sorted(payloads))
        split = exec_properties[SPLIT_KEY]
        joined.split_names = artifact_utils.encode_split_names([split])
        examples_utils.set_payload_format(joined, payloads.pop())
        folder = artifact_utils.get_split_uri([joined], split)
        if fileio.exists(folder):
            fileio.rmtree(folder)  # of a run that was killed, which may have joined other windows
        fileio.makedirs(folder)
        for number, window in enumerate(windows):
            for path in _files(window):
                fileio.copy(path, os.path.join(folder, f"{number:06d}-{os.path.basename(path)}"))


def _files(window: types.Artifact) -> list[str]:
    """The files of the only split of a window, sorted."""
    splits = artifact_utils.decode_split_names(window.split_names)
    require(len(splits) == 1, f"`Examples` in {window.uri}", "have one split", splits)
    found = split_files(window, splits[0])
    if not found:
        folder = artifact_utils.get_split_uri([window], splits[0])
        raise MonitorError(f"{folder} must hold the examples of a window. Received: no file")
    return found
