"""Compiling a pipeline for Kubeflow Pipelines, with TFX's own `KubeflowV2DagRunner`: the text of a YAML file.

What TFX writes is the specification of schema 2.1, which open-source Kubeflow Pipelines and Vertex AI both read. Each
step's container runs `kfp_entrypoint`, which mends what TFX's own entry point cannot read there.
"""

from typing import Any

import yaml
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.orchestration.pipeline import Pipeline

from components.common.errors import require

from .project_version import project_version

ENTRY_POINT = ("python", "-m", "pipelines.runners.kfp_entrypoint")


def compile_pipeline(pipeline: Pipeline, *, image: str) -> str:
    """The specification of a pipeline, as YAML.

    Args:
      pipeline: as the functions `create_pipeline` give it.
      image: the container image of every step, with this project in the version that compiles.

    Raises:
      MonitorError: `image` is empty, or the project is not installed.

    """
    require(bool(image), "image", "be the container image that the steps run in", image)
    config = KubeflowV2DagRunnerConfig(
        default_image=image,
        default_commands=[*ENTRY_POINT, f"--compiled_by={project_version()}"],
        use_pipeline_spec_2_1=True,
    )
    spec: dict[str, Any] = KubeflowV2DagRunner(config).run(pipeline, write_out=False)["pipelineSpec"]
    return yaml.safe_dump(spec, sort_keys=True, allow_unicode=True)
