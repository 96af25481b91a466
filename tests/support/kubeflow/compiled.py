"""Both pipelines of ours as they are compiled in tests, and how what comes of it is read."""

from pathlib import Path
from typing import Any

import yaml
from tfx.orchestration.pipeline import Pipeline

from pipelines import monitoring
from pipelines.cifar10 import training
from pipelines.cifar10.config import SCHEMA_DIR, Cifar10Config
from pipelines.config import MonitoringConfig, load

IMAGE = "registry.example/monitor:1"
SPEC_FILE = f"model_spec={Path(SCHEMA_DIR) / 'model_spec.yaml'}"


def training_pipeline(*settings: str) -> Pipeline:
    """The worked example's, for Kubeflow."""
    return training.pipeline_for_kubeflow(load(Cifar10Config, None, settings))


def monitoring_pipeline(*settings: str) -> Pipeline:
    """That of its serving logs, for Kubeflow."""
    return monitoring.pipeline_for_kubeflow(load(MonitoringConfig, None, [SPEC_FILE, *settings]))


def documents(text: str) -> list[dict[str, Any]]:
    """The documents of a compiled pipeline."""
    return list(yaml.safe_load_all(text))


def containers(spec: dict[str, Any]) -> dict[str, Any]:
    """What each step runs, by the id of its node."""
    found = spec["deploymentSpec"]["executors"]
    return {name.removesuffix("_executor"): each["container"] for name, each in found.items()}
