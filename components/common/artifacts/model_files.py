"""Where the SavedModel of a `Model` artifact is."""

from ..errors import MonitorError, require
from .files import Artifact, Files
from .names import SERVING_MODEL_DIR

_BEFORE = "serving_model_dir"  # before TFX 0.29
_ESTIMATORS = "export"  # below that, of Trainers that export estimators: a folder of a name, and in it one of a time


def saved_model_folder(model: Artifact, files: Files) -> str:
    """The folder of the model that is served: where Trainer puts it, or TFX before 0.29, or an estimator.

    Raises:
      MonitorError: an estimator has exported none, or several.

    """
    present = _listed(model.uri, files)
    folder = model.path(_BEFORE if _BEFORE in present and SERVING_MODEL_DIR not in present else SERVING_MODEL_DIR)
    if _ESTIMATORS not in _listed(folder, files):
        return folder
    return _only(_only(f"{folder}/{_ESTIMATORS}", files), files)


def _listed(folder: str, files: Files) -> list[str]:
    """What is in a folder; nothing where it cannot be listed: whoever reads the model says what is wrong."""
    try:
        return files.listing(folder)
    except MonitorError:
        return []


def _only(folder: str, files: Files) -> str:
    names = files.listing(folder)
    require(len(names) == 1, folder, "hold one model", names)
    return f"{folder}/{names[0]}"
