"""A small project of one's own, from templates: spec, pipeline, trainer, thresholds, a test, a Dockerfile."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from components.common.errors import require
from components.common.model_spec import ModelSpec
from pipelines.runners.project_version import project_version

from .described import Feature

_TEMPLATES = Path(__file__).parent / "templates" / "project"
_TYPES = {"int": "int64", "float": "float32", "bytes": "string"}  # of features, as TensorFlow calls them
SPEC_FILE = "monitor.yaml"
_SIDES = (32, 96)  # smallest and largest that the project's network sees images in, unless told otherwise
_HEADER = "# What the model takes and answers, guessed by `model-monitor new` (docs/model_spec.md has every key).\n"


def write(target: Path, spec: ModelSpec, label: Feature, folder: str, pattern: str) -> list[Path]:
    """Writes the project into a folder that is not there yet, or empty.

    Args:
      target: the folder; its name becomes the pipeline's.
      spec: of the model to be trained; it has a label.
      label: the feature of the Examples that holds it.
      folder: folder that the Examples are below.
      pattern: of their files, from `folder` on.

    Returns:
      The files, the spec first.

    Raises:
      MonitorError: the folder is not empty.

    """
    require(not target.exists() or not any(target.iterdir()), "the folder", "be new or empty", str(target))
    values = _values(target, spec, label, folder, pattern)
    target.mkdir(parents=True, exist_ok=True)
    written = [target / SPEC_FILE]
    written[0].write_text(f"{_HEADER}{spec.to_yaml()}", encoding="utf-8")
    for template in sorted(_TEMPLATES.rglob("*.jinja")):
        file = target / template.relative_to(_TEMPLATES).with_suffix("")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(filled(template.read_text(encoding="utf-8"), values), encoding="utf-8")
        written.append(file)
    return written


def filled(template: str, values: Mapping[str, Any]) -> str:
    """A template with its values; one that has no value is an error."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - not HTML
    return environment.from_string(template).render(values)


def _values(target: Path, spec: ModelSpec, label: Feature, folder: str, pattern: str) -> dict[str, Any]:
    chance = 1 / spec.num_classes
    smallest, largest = _SIDES
    side = max(smallest, min(largest, *spec.image.size)) if spec.image.size else largest
    return {
        "version": project_version(),
        "name": _pipeline_name(target),
        "folder": json.dumps(folder),
        "pattern": json.dumps(pattern),
        "shell": shlex.quote(f"{folder}/{pattern}"),
        "side": side,
        "label": json.dumps(spec.label),
        "label_type": _TYPES[label.kind],
        "classes": f"{spec.num_classes:,}",
        "bound": round(chance + (1 - chance) / 4, 3),
    }


def _pipeline_name(target: Path) -> str:
    """The folder's name in the letters that runners take.

    >>> _pipeline_name(Path("/home/My Digits"))
    'my-digits'
    """
    kept = "".join(
        letter if letter.isascii() and letter.isalnum() else "-" for letter in target.absolute().name.lower()
    )
    return kept.strip("-") or "classifier"
