"""The wheel, installed outside the checkout and run from an empty folder in an empty home."""

import gzip
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from components.common.model_spec import ModelSpec
from tests.support import foreign_data, foreign_models
from tests.support.warm.starting import FORGET, warm

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("components", "model_monitor", "pipelines", "schemas")
RECORD = 3073  # a label byte and 3,072 bytes of image
# What `python -m model_monitor.cli` does with the wheel's packages, where TFX is imported already.
COMMAND = f"""
{FORGET}
import os, runpy
import components, model_monitor, pipelines, schemas
for package in (components, model_monitor, pipelines, schemas):
    assert package.__file__.startswith(os.environ["PYTHONPATH"]), package
runpy.run_module("model_monitor.cli", run_name="__main__", alter_sys=True)
"""
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


def python(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing that an earlier build left in the checkout gets into it."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in PACKAGES:
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, copy)
    done = python("-c", BUILD, str(out), folder=copy)
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory):
    """Calls Python from an empty folder in an empty home, with what the wheel holds in place of the checkout."""
    site, home, empty = (tmp_path_factory.mktemp(name) for name in ("site", "home", "empty"))
    target = ["--quiet", "--no-index", "--no-deps", "--target", str(site)]
    done = python("-m", "pip", "install", *target, str(wheel), folder=empty)
    assert done.returncode == 0, done.stderr

    given = {"PYTHONPATH": str(site), "HOME": str(home), "XDG_CACHE_HOME": ""}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return python(*arguments, folder=empty, **given)

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        """`model-monitor`, for commands that need TFX."""
        return warm().call("python", "-c", COMMAND, *arguments, folder=empty, **given)

    call.command, call.site, call.home, call.empty = command, site, home, empty
    return call


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path):
    listed = subprocess.run(["git", "ls-files", *PACKAGES], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout with git's own record of its files")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"schemas/cifar10/schema.pbtxt", "schemas/cifar10/model_spec.yaml"} <= names
    assert not sorted(set(listed.stdout.split("\n")) - {""} - names)


def test_the_wheel_is_small_and_has_no_data(wheel: Path):
    assert wheel.stat().st_size < 2_000_000
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.startswith(("data/", "tests/"))]


def test_the_packages_and_the_policy_are_those_of_the_wheel(installed):
    code = (
        "import components, model_monitor, pipelines.cifar10.config as c, schemas; from pathlib import Path\n"
        "print(components.__file__, model_monitor.__file__, c.__file__, schemas.__file__, c.SCHEMA_DIR, sep='\\n')\n"
        "print(len(c.default_spec().classes), (Path(c.SCHEMA_DIR) / 'schema.pbtxt').is_file())"
    )
    done = installed("-c", code)
    assert done.returncode == 0, done.stderr
    *places, told = done.stdout.splitlines()
    assert all(place.startswith(str(installed.site)) for place in places), places
    assert told == "10 True"


def test_the_command_is_installed(installed):
    done = installed(str(installed.site / "bin" / "model-monitor"), "--help")
    assert done.returncode == 0, done.stderr
    assert "usage: model-monitor" in done.stdout


def test_the_sample_that_is_not_installed_is_one_sentence_with_what_to_do(installed):
    before = set(installed.empty.iterdir())
    done = installed("-m", "model_monitor.cli", "train")
    assert done.returncode == 1
    assert "`model-monitor data fetch` brings the full data set for `--dataset full`" in done.stderr
    assert "Traceback" not in done.stderr
    assert set(installed.empty.iterdir()) == before


def test_what_is_fetched_goes_to_the_user_s_cache_and_not_among_the_packages(installed):
    done = installed("-c", "from pipelines.cifar10 import dataset; print(dataset.FULL)")
    assert done.stdout.strip() == f"{installed.home}/.cache/tfx-model-monitor/cifar10", done.stderr


@pytest.mark.long
def test_train_runs_on_a_folder_of_data(installed, tmp_path: Path):
    """Few images and one epoch: the model is no good, and what is tested is that everything up to the gate is there."""
    for name, images in (("data_batch_1.bin", 600), ("test_batch.bin", 300)):
        sample = gzip.decompress((REPOSITORY / "data" / "cifar10_sample" / f"{name}.gz").read_bytes())
        (tmp_path / name).write_bytes(sample[: images * RECORD])
    quick = ("--set", "trainer.epochs=1", "--set", "trainer.model=tiny_cnn")
    done = installed.command("train", "--dataset", str(tmp_path), *quick)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Not pushed: " in done.stdout
    assert {path.name for path in installed.empty.iterdir()} == {"runs"}


@pytest.mark.long
def test_init_describes_a_served_model(installed, tmp_path: Path):
    data = foreign_data.digits()
    foreign_models.digit_model(tmp_path / "model", data.part(0, 600))
    foreign_data.write_examples(tmp_path / "held_out" / "a.gz", data.part(600, 700), foreign_models.DIGIT_FEATURES)
    told = ("--set", "image.range=[0,1]")  # which 100 examples leave open
    given = ("--saved-model", str(tmp_path / "model"), "--examples", str(tmp_path / "held_out" / "*"), *told)
    done = installed.command("init", *given, "-o", str(tmp_path / "monitor.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    spec = ModelSpec.load(tmp_path / "monitor.yaml")
    assert (spec.input, spec.outputs.scores, spec.num_classes) == ("input_image", "dense_1", 10)
