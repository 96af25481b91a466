"""Baseline bundles as far as commands look at them: a whole manifest, and empty files for the rest."""

from pathlib import Path

from components.common.baseline_bundle import BUNDLE, Manifest, version_of
from components.common.model_spec import ModelSpec


def write_bundle(version: Path, spec: ModelSpec) -> Path:
    """Puts a bundle into the folder of a version, and a model of no content where there is none. Returns `version`."""
    bundle = version / BUNDLE
    (bundle / "baseline_statistics" / "Split-eval").mkdir(parents=True)
    (bundle / "schema").mkdir()
    (bundle / "schema" / "schema.pbtxt").touch()
    (version / "saved_model.pb").touch()
    manifest = Manifest(
        model_version=version_of(str(version)),
        spec=spec,
        pushed_at="2026-11-24T01:02:03+00:00",
        model_uri="/models/1",
        baseline_examples_uri=None,
        run_key="",
        judged_against=None,
        pipeline_name=None,
        pipeline_run_id=None,
        tensorflow_version="2.16.2",
        tfx_version="1.16.0",
    )
    (bundle / "manifest.json").write_text(manifest.to_json())
    return version
