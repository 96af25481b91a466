"""The pipeline that makes a baseline for a model that is served already: nothing is trained, nothing is pushed."""

from tfx.components import ImportExampleGen
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

from components import ThresholdCalibrator
from components.common.model_spec import ModelSpec

from . import nodes
from .config import AdoptionConfig


def create_pipeline(config: AdoptionConfig, *, spec: ModelSpec, model: str, folder: str, pattern: str) -> Pipeline:
    """Held-out examples are scored by the model and described, and thresholds are computed from them.

    Args:
      config: the settings.
      spec: what the model takes and answers.
      model: folder of the SavedModel.
      folder: folder that the files of Examples are below.
      pattern: of these files, from `folder` on.

    """
    one = example_gen_pb2.SplitConfig.Split(name=nodes.EVAL_SPLIT, hash_buckets=1)
    examples = ImportExampleGen(
        input_base=folder,
        input_config=example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name=nodes.EVAL_SPLIT, pattern=pattern)]
        ),
        output_config=example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=[one])),
    )
    # Anew each time: what is in a folder may have changed, and the scores with it.
    served = Importer(source_uri=model, artifact_type=standard_artifacts.Model, reimport=True).with_id("ServedModel")
    asked = (examples.outputs["examples"], served.outputs["result"])
    scored, described = nodes.scored_statistics(spec, *asked)
    rules = config.monitor.model_dump(include=nodes.CALIBRATION)
    calibrated = ThresholdCalibrator(described.outputs["statistics"], **rules)
    components = [examples, served, scored, described, calibrated]
    return Pipeline(components=components, **nodes.pipeline_arguments(config))
