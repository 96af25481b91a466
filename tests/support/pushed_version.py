"""Folders that look like pushed versions, with bundles that are whole and hold nothing."""

import dataclasses
from pathlib import Path
from typing import Any

from components.common.baseline_bundle import BUNDLE, Manifest

from .model_specs import digits_spec

MANIFEST = Manifest(
    model_version=1,
    spec=digits_spec(),
    pushed_at="2026-11-24T01:02:03+00:00",
    model_uri="/models/1",
    baseline_examples_uri="/examples/1",
    run_key="key",
    judged_against=None,
    pipeline_name="p",
    pipeline_run_id=None,
    tensorflow_version="2.16.2",
    tfx_version="1.16.0",
    parts=("statistics", "evaluation"),
)


def write_version(serving: Path, version: int, **changes: Any) -> str:
    """Writes a version with its bundle, whose manifest is `MANIFEST` with changes. Returns its folder."""
    folder = serving / str(version)
    bundle = folder / BUNDLE
    (bundle / "statistics" / "Split-train").mkdir(parents=True)
    (bundle / "statistics" / "Split-eval").mkdir()
    (bundle / "baseline_statistics" / "Split-eval").mkdir(parents=True)
    (bundle / "evaluation").mkdir()
    (bundle / "schema").mkdir()
    (bundle / "schema" / "schema.pbtxt").touch()
    (folder / "saved_model.pb").touch()
    manifest = dataclasses.replace(MANIFEST, model_version=version, **changes)
    (bundle / "manifest.json").write_text(manifest.to_json())
    return str(folder)
