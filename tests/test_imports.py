"""Importing is cheap, and the components folder works under any name."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
HEAVY = ("tensorflow", "tfx", "apache_beam", "tensorflow_data_validation", "tensorflow_model_analysis")


def python(code: str, folder: Path = REPOSITORY) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "module",
    ["components", "components.common.baseline_bundle", "model_monitor.cli", "model_monitor.reading.run_store"],
)
def test_importing_takes_nothing_heavy(module: str):
    loaded = python(f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])")
    assert loaded.strip() == "[]"


def test_a_name_that_is_not_there_lists_those_that_are():
    import components

    with pytest.raises(AttributeError, match=r"It has: .*PushGate"):
        components.PushGates  # noqa: B018 - the attribute is what is tested


def test_the_components_run_from_a_copy_under_another_name(tmp_path: Path):
    shutil.copytree(REPOSITORY / "components", tmp_path / "vendored", ignore=shutil.ignore_patterns("__pycache__"))
    data = REPOSITORY / "data" / "cifar10_sample"
    code = f"""
import sys
sys.path = [p for p in sys.path if p not in ({str(REPOSITORY)!r},)]
sys.meta_path = [f for f in sys.meta_path if "editable" not in repr(f).lower()]
import vendored
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
for name in vendored.__all__:
    getattr(vendored, name)
examples = vendored.Cifar10ExampleGen(input_base={str(data)!r})
LocalDagRunner().run(Pipeline(
    pipeline_name="vendored", pipeline_root="root", components=[examples],
    metadata_connection_config=metadata.sqlite_metadata_connection_config("store.sqlite")))
assert "components" not in sys.modules
"""
    python(code, tmp_path)
    assert list((tmp_path / "root" / "Cifar10ExampleGen" / "examples").glob("*/Split-train/*.gz"))
