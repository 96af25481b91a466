"""Importing is cheap, and the components folder works under any name."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.warm.starting import FORGET, warm

REPOSITORY = Path(__file__).resolve().parents[1]
HEAVY = ("tensorflow", "tfx", "apache_beam", "tensorflow_data_validation", "tensorflow_model_analysis")


def python(code: str, folder: Path = REPOSITORY) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules(package: str, *but: str) -> list[str]:
    """Every module of a package of this checkout, those below `but` left out."""
    names = (".".join(path.with_suffix("").parts) for path in sorted(Path(package).rglob("*.py")))
    plain = [name.removesuffix(".__init__") for name in names]
    return [name for name in plain if not any(name == each or name.startswith(f"{each}.") for each in but)]


# Packages that import nothing heavy, and the modules in them that may.
LIGHT = {
    "components/common": (
        "components.common.tfx_files",
        "components.common.step_executor",
        "components.common.beam",
    ),
    "components/serving_log_writer": (),
    "model_monitor": ("model_monitor.launching", "model_monitor.serving.server", "model_monitor.traffic"),
}


def test_no_module_of_what_is_light_imports_anything_heavy(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    names = {package: modules(package, *but) for package, but in LIGHT.items()}
    assert all(len(found) > 3 for found in names.values())
    everything = [name for found in names.values() for name in found]
    assert {"components.common.baseline_bundle", "model_monitor.cli", "model_monitor.reading.run_store"} <= {
        *everything
    }
    # all in one process, each with what it has brought in: the first that does is named
    code = f"""
import importlib, sys
for name in {["components", *everything]}:
    importlib.import_module(name)
    loaded = [heavy for heavy in {HEAVY} if heavy in sys.modules]
    assert not loaded, (name, loaded)
"""
    python(code)


STEPS = sorted(path.parent.name for path in (REPOSITORY / "components").glob("*/step.py"))
# What costs seconds or a hundred megabytes besides: whatever brings one of these in has no place in a step.
COSTLY = (
    *HEAVY,
    "tfx_bsl",
    "ml_metadata",
    "keras",
    "sklearn",
    "numba",
    "pandas",
    "pyarrow",
    "grpc",
    "kubernetes",
    "IPython",
)


def test_the_components_whose_work_needs_no_tfx_have_it_in_a_step():
    assert {
        "atomic_pusher", "baseline_importer", "performance_estimator", "push_gate", "skew_drift_validator",
        "threshold_calibrator", "validation_report", "verdict_guard",
    } <= set(STEPS)  # fmt: skip


@pytest.mark.parametrize("component", STEPS)
def test_a_step_is_imported_without_anything_costly(component: str):
    loaded = f"print([name for name in {COSTLY} if name in sys.modules])"
    assert python(f"import sys, components.{component}.step; {loaded}") == "[]\n"


# (module, the line it gets, the contract that this breaks, the import as it is reported)
BREAKING = [
    ("components/common/artifacts/splits.py", "import tfx",
     "what components share is read without TFX", "components.common.artifacts.splits -> tfx"),
    ("components/common/errors.py", "from . import tfx_files",
     "TFX's files are for executors", "components.common.errors -> components.common.tfx_files"),
    ("components/verdict_guard/step.py", "from . import component",
     "a step runs without TFX", "components.verdict_guard.component -> tfx"),
    ("components/push_gate/policy.py", "from ..common import step_executor",
     "TFX runs steps by executors", "components.push_gate.policy -> components.common.step_executor"),
    ("components/common/errors.py", "from .. import push_gate",
     "components share by components.common, which knows none", "components.common.errors -> components.push_gate"),
    ("components/push_gate/policy.py", "import tensorflow",
     "the core of a component imports neither TFX", "components.push_gate.policy -> tensorflow"),
    ("components/push_gate/policy.py", "from .. import validation_report",
     "components share by components.common, which", "components.push_gate.policy -> components.validation_report"),
    ("components/push_gate/policy.py", "import pipelines",
     "the pipelines know the components, never back", "components.push_gate.policy -> pipelines"),
    ("model_monitor/reading/findings.py", "from components.common import tfx_files",
     "the tool reads and shows without TFX", "model_monitor.reading.findings -> components.common.tfx_files"),
    ("model_monitor/reading/findings.py", "from pipelines import training",
     "the tool reads and shows without TFX", "model_monitor.reading.findings -> pipelines.training"),
    ("model_monitor/reading/findings.py", "from ..traffic import shifts",
     "traffic and the server are for commands", "model_monitor.reading.findings -> model_monitor.traffic.shifts"),
    ("model_monitor/incidents/incident.py", "from ..watch import journal",
     "incidents follow from records and alerts", "model_monitor.incidents.incident -> model_monitor.watch.journal"),
]  # fmt: skip


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the contracts say of a copy that has all of these lines."""
    copy = tmp_path_factory.mktemp("broken")
    for package in ("components", "model_monitor", "pipelines"):
        shutil.copytree(REPOSITORY / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", copy)
    for module, line, _, _ in BREAKING:
        with open(copy / module, "a") as file:
            file.write(f"\n{line}\n")
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False,
                          env={"PYTHONPATH": str(copy), "COLUMNS": "300", "PATH": "/usr/bin:/bin"})  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def section(broken: str, name: str) -> str:
    """What is reported below a contract's name, which is underlined, up to the next one."""
    return re.split(r"\n\n.+\n-{5,}\n", broken.partition(f"\n{name}\n---")[2])[0]


@pytest.mark.parametrize(("module", "line", "contract", "imported"), BREAKING)
def test_an_import_that_breaks_a_contract_is_found(reported: str, module: str, line: str, contract: str, imported: str):
    told, _, broken = reported.partition("Broken contracts\n")
    [row] = [row for row in told.splitlines() if contract in row]
    assert "BROKEN" in row
    name = row.partition(" BROKEN")[0]
    assert f"{imported} (l." in section(broken, name), broken


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
{FORGET}
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
    done = warm().call("python", "-c", code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "root" / "Cifar10ExampleGen" / "examples").glob("*/Split-train/*.gz"))
