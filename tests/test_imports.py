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


def modules(package: str, *but: str) -> list[str]:
    """Every module of a package of this checkout, those below `but` left out."""
    names = (".".join(path.with_suffix("").parts) for path in sorted(Path(package).rglob("*.py")))
    plain = [name.removesuffix(".__init__") for name in names]
    return [name for name in plain if not any(name == each or name.startswith(f"{each}.") for each in but)]


@pytest.mark.parametrize(
    ("package", "but"),
    [
        ("components/common", ("components.common.tfx_files",)),
        ("components/serving_log_writer", ()),
        ("model_monitor", ("model_monitor.launching", "model_monitor.traffic")),
    ],
)
def test_no_module_of_what_is_light_imports_anything_heavy(package: str, but: tuple[str, ...], monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    names = modules(package, *but)
    assert len(names) > 3
    code = f"import importlib, sys; [importlib.import_module(name) for name in {names}]"
    assert python(f"{code}; print([m for m in {HEAVY} if m in sys.modules])").strip() == "[]"


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("components/common/artifacts/splits.py", "import tfx", "what components share is read without TFX"),
        ("components/common/errors.py", "from . import tfx_files", "TFX's files are for executors"),
        ("components/common/errors.py", "from .. import push_gate", "which knows none of them"),
        ("components/push_gate/policy.py", "import tensorflow", "the core of a component imports neither TFX"),
        ("components/push_gate/policy.py", "from .. import validation_report", "share by components.common"),
        ("components/push_gate/policy.py", "import pipelines", "never back"),
        ("model_monitor/reading/findings.py", "from components.common import tfx_files", "the tool reads and shows"),
        ("model_monitor/reading/findings.py", "from pipelines import training", "the tool reads and shows without"),
        ("model_monitor/reading/findings.py", "from ..traffic import shifts", "launching and traffic are for commands"),
    ],
)
def test_an_import_that_breaks_a_contract_is_found(tmp_path: Path, module: str, line: str, contract: str):
    for package in ("components", "model_monitor", "pipelines"):
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    with open(tmp_path / module, "a") as file:
        file.write(f"\n{line}\n")
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={"PYTHONPATH": str(tmp_path), "COLUMNS": "300", "PATH": "/usr/bin:/bin"})  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(contract in row and "BROKEN" in row for row in done.stdout.splitlines()), done.stdout


def test_tests_of_what_knows_no_tfx_start_without_it():
    """Their fixtures' modules come along: what a conftest imports, every test beside it waits for."""
    folders = ["tests/components/common/records", "tests/components/common/pages", "tests/model_monitor/showing",
               "tests/components/push_gate/test_policy.py",
               "tests/components/atomic_pusher/test_publish.py"]  # fmt: skip
    code = (
        f"import pytest, sys; assert pytest.main(['-q', '--collect-only', '-p', 'no:cacheprovider', *{folders}]) == 0"
    )
    loaded = python(f"{code}; print([m for m in {HEAVY} if m in sys.modules])")
    assert loaded.splitlines()[-1] == "[]"


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
