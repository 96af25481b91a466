"""Compiling a pipeline for Kubeflow Pipelines, with TFX's own `KubeflowV2DagRunner`: the text of a YAML file.

What TFX writes is the specification of schema 2.1, which open-source Kubeflow Pipelines and Vertex AI both read. Each
step's container runs `kfp_entrypoint`, which mends what TFX's own entry point cannot read there.
"""

from typing import Any

import yaml
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.orchestration.pipeline import Pipeline

from components.common.errors import MonitorError, require, require_known
from pipelines.kubeflow_settings import KubeflowConfig

from .compiling import places, platform, rules, specification
from .project_version import project_version

ENTRY_POINT = ("python", "-m", "pipelines.runners.kfp_entrypoint")
_USUAL = KubeflowConfig()


def compile_pipeline(
    pipeline: Pipeline, *, image: str = "", settings: KubeflowConfig = _USUAL, target: str = places.KFP
) -> str:
    """The specification of a pipeline as YAML, with a second document of volumes and secrets where there are some.

    The pipeline's root is not in it: a run says where its artifacts go. A `RuntimeParameter` of a node's is a parameter
    of the run, with its default and its description.

    Example:
      text = compile_pipeline(pipeline, image="registry/monitor:0.1.0")
      Path("pipeline.yaml").write_text(text)

    Args:
      pipeline: as the functions `create_pipeline` give it.
      image: the container image of every step, with this project in the version that compiles; empty: that of
        `settings`.
      settings: what the steps run in.
      target: `kfp` for open-source Kubeflow Pipelines, `vertex` for Vertex AI.

    Raises:
      MonitorError: there is no image, or the pipeline breaks a rule of Kubeflow's: each node and rule is named.

    """
    require_known(target, places.TARGETS, "target")
    chosen = image or settings.image
    good = bool(chosen) and not any(letter.isspace() for letter in chosen)
    require(good, "image", "be the container image that the steps run in, such as registry/monitor:0.1.0", chosen)
    rules.refuse([*rules.violations_of(pipeline), *places.violations_of(pipeline, settings, target)])
    platform.check(pipeline, settings, target)
    spec = _compiled(pipeline, chosen)
    rules.refuse(specification.violations_of(spec))
    labels = {node.id: specification.executor_label(spec, node) for node in pipeline.components}
    second = platform.document(pipeline, settings, labels)
    documents = [specification.completed(spec, pipeline, settings, target), *([second] if second else [])]
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=120)


def _compiled(pipeline: Pipeline, image: str) -> dict[str, Any]:
    """What TFX makes of it. Raises `MonitorError` with its words for what no rule has foreseen."""
    config = KubeflowV2DagRunnerConfig(
        default_image=image,
        default_commands=[*ENTRY_POINT, f"--compiled_by={project_version()}"],
        use_pipeline_spec_2_1=True,
    )
    try:
        job = KubeflowV2DagRunner(config).run(pipeline, write_out=False)
    except (AssertionError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        raise MonitorError(f"TFX cannot compile the pipeline for Kubeflow: {error}") from error
    spec: dict[str, Any] = job["pipelineSpec"]
    return spec


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such, so that a person can read the schemas."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
