"""What a pipeline compiles to for Kubeflow Pipelines. Nothing runs."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp.components import load_component_from_text

from components.common.errors import MonitorError
from pipelines.cifar10 import training
from pipelines.cifar10.config import Cifar10Config
from pipelines.config import load
from pipelines.monitoring import monitoring_pipeline
from pipelines.runners.kubeflow import compile_pipeline
from pipelines.runners.project_version import project_version
from tests.support.pushed_version import write_version

IMAGE = "registry/monitor:1"


def the_pipeline(which: str, folder: Path):
    if which == "monitoring":
        return monitoring_pipeline(write_version(folder / "serving", 7), logs="/logs")
    return training.create_pipeline(load(Cifar10Config, None, [f"root={folder}"]), folder)


def containers(spec: dict[str, Any]) -> dict[str, Any]:
    return {name: each["container"] for name, each in spec["deploymentSpec"]["executors"].items()}


@pytest.mark.parametrize("which", ["training", "monitoring"])
def test_kfp_s_own_loader_reads_what_is_compiled_and_each_step_runs_the_entry_point(which: str, tmp_path: Path):
    pipeline = the_pipeline(which, tmp_path)
    text = compile_pipeline(pipeline, image=IMAGE)
    assert load_component_from_text(text).name == pipeline.pipeline_info.pipeline_name
    spec = yaml.safe_load(text)
    assert spec["schemaVersion"] == "2.1.0"
    steps = containers(spec)
    assert len(steps) == len(pipeline.components)
    entry_point = ["python", "-m", "pipelines.runners.kfp_entrypoint", f"--compiled_by={project_version()}"]
    for step in steps.values():
        assert (step["image"], step["command"]) == (IMAGE, entry_point)


def test_an_image_is_needed(tmp_path: Path):
    with pytest.raises(MonitorError, match="`image` must be the container image"):
        compile_pipeline(the_pipeline("monitoring", tmp_path), image="")
