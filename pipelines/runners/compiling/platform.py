"""The second document of a compiled pipeline: what only Kubernetes has, volumes and secrets, for each step."""

from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline

from components.common.errors import MonitorError, require_known
from pipelines.kubeflow_settings import DEFAULT_RESOURCES, KubeflowConfig, Mount

from .places import VERTEX, mounts_of

Json = dict[str, Any]


def document(pipeline: Pipeline, settings: KubeflowConfig, labels: Mapping[str, str]) -> Json | None:
    """The document, as `kfp-kubernetes` writes it; None where there is nothing to say.

    The fields are those that its versions have in common: newer servers read them too.

    Args:
      pipeline: the pipeline.
      settings: its section `kubeflow`.
      labels: of the executors, by the ids of their nodes.

    """
    executors = {labels[node.id]: _config(node, settings) for node in pipeline.components}
    said = {label: config for label, config in sorted(executors.items()) if config}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": said}}}} if said else None


def check(pipeline: Pipeline, settings: KubeflowConfig, target: str) -> None:
    """Raises `MonitorError` where the settings name a node that is not there, or what Vertex AI does not have."""
    nodes = {node.id for node in pipeline.components}
    for name in settings.resources:
        require_known(name, {*nodes, DEFAULT_RESOURCES}, "kubeflow.resources")
    for mount in settings.mounts:
        for name in mount.nodes:
            require_known(name, nodes, f"kubeflow.mounts, nodes of {mount.claim}")
    for node in sorted(nodes):
        _check_accelerator(settings.resources_of(node).accelerator, target)
    if target == VERTEX:
        _check_vertex(settings)


def _config(node: BaseNode, settings: KubeflowConfig) -> Json:
    config: Json = {
        "pvcMount": [_mounted(mount) for mount in mounts_of(node, settings)],
        "secretAsEnv": [
            {
                "secretName": secret.name,
                "keyToEnv": [{"secretKey": key, "envVar": name} for name, key in sorted(secret.env.items())],
            }
            for secret in settings.secrets
        ],
        "imagePullSecret": [{"secretName": name} for name in settings.image_pull_secrets],
    }
    return {key: value for key, value in config.items() if value}


def _mounted(mount: Mount) -> Json:
    return {"constant": mount.claim, "mountPath": mount.path}


def _check_accelerator(kind: str, target: str) -> None:
    if not kind:
        return
    of_vertex = kind.isupper()
    if of_vertex != (target == VERTEX):
        rule = (
            "NVIDIA_TESLA_T4 and the like" if target == VERTEX else "a resource of Kubernetes, such as nvidia.com/gpu"
        )
        raise MonitorError(f"`kubeflow.resources`: an accelerator must be {rule}. Received: {kind!r}")


def _check_vertex(settings: KubeflowConfig) -> None:
    for key in ("mounts", "secrets", "image_pull_secrets"):
        if getattr(settings, key):
            raise MonitorError(
                f"`kubeflow.{key}` must be left out for Vertex AI, which has no such thing: its steps have the rights "
                "of the service account, and Cloud Storage below /gcs"
            )
