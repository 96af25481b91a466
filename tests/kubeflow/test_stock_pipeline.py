"""A pipeline of TFX's own components alone, on Kubeflow by one line of its runner's configuration."""

import json
from pathlib import Path

import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tfx import v1 as tfx

from pipelines.config import LOCAL_BEAM_ARGS
from tests.support import foreign_data, foreign_models
from tests.support.code_blocks import named
from tests.support.kubeflow.walk import KFP_2_0_5, Run, Walk
from tests.support.warm.starting import warm

pytestmark = pytest.mark.long

TRAINER = "tests.support.trainers.digits_trainer.run_fn"  # which knows nothing of this project
SPAN = 20781
EVAL_CONFIG = """
  model_specs { signature_name: "serve_examples" label_key: "image/class/label" prediction_key: "dense_1" }
  slicing_specs {}
  metrics_specs {
    metrics {
      class_name: "SparseCategoricalAccuracy"
      threshold { value_threshold { lower_bound { value: 0.5 } } }
    }
  }
"""


def stock(data: Path, serving: Path) -> tfx.dsl.Pipeline:
    """As TFX's examples have it: data by span, and a Pusher behind a condition."""
    components, proto = tfx.components, tfx.proto
    splits = [proto.Input.Split(name=name, pattern=f"{{SPAN}}/{name}*") for name in ("train", "eval")]
    gen = components.ImportExampleGen(input_base=str(data), input_config=proto.Input(splits=splits))
    statistics = components.StatisticsGen(examples=gen.outputs["examples"])
    schema = components.SchemaGen(statistics=statistics.outputs["statistics"])
    validator = components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    trainer = components.Trainer(
        run_fn=TRAINER,
        examples=gen.outputs["examples"],
        train_args=proto.TrainArgs(splits=["train"]),
        eval_args=proto.EvalArgs(splits=["eval"]),
    )
    model = trainer.outputs["model"]
    evaluator = components.Evaluator(
        examples=gen.outputs["examples"],
        model=model,
        example_splits=["eval"],
        eval_config=text_format.Parse(EVAL_CONFIG, tfma.EvalConfig()),
    )
    blessing = evaluator.outputs["blessing"]
    folder = proto.PushDestination.Filesystem(base_directory=str(serving))
    with tfx.dsl.Cond(blessing.future()[0].custom_property("blessed") == 1):
        pusher = components.Pusher(model=model, push_destination=proto.PushDestination(filesystem=folder))
    with tfx.dsl.Cond(blessing.future()[0].custom_property("blessed") == 0):
        refused = components.SchemaGen(statistics=statistics.outputs["statistics"]).with_id("OfRefusedModels")
    return tfx.dsl.Pipeline(
        pipeline_name="stock",
        pipeline_root="unused",
        components=[gen, statistics, schema, validator, trainer, evaluator, pusher, refused],
        beam_pipeline_args=list(LOCAL_BEAM_ARGS),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, data = tmp_path_factory.mktemp("stock"), foreign_data.digits()
    for name, part in (("train", data.part(0, 500)), ("eval", data.part(900, 1000))):
        for span, some in ((SPAN - 1, part.part(0, 1)), (SPAN, part)):
            foreign_data.write_examples(made / "data" / str(span) / f"{name}.gz", some, foreign_models.DIGIT_FEATURES)
    return made


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """Of what the page's own code makes of the pipeline."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        names = {"pipeline": stock(folder / "data", folder / "serving")}
        code = named("docs/kubeflow_entrypoint.md", "one line").text
        exec(compile(code, "docs/kubeflow_entrypoint.md", "exec"), names)  # noqa: S102 - it is what is tested
        text = (folder / "pipeline.yaml").read_text()
    return Walk(text, folder / "kfp", KFP_2_0_5, commands=warm().commands).run()


def test_every_step_runs_but_that_whose_condition_does_not_hold(run: Run):
    codes = {name: task.code for name, task in run.tasks.items()}
    assert codes.pop("OfRefusedModels") is None
    assert codes == dict.fromkeys(codes, 0)
    assert len(codes) == 7


def test_the_model_is_pushed(run: Run, folder: Path):
    (version,) = (folder / "serving").iterdir()
    assert (version / "saved_model.pb").is_file()
    said = run.tasks["Pusher"].output("pushed_model")["metadata"]
    assert (said["pushed"], said["pushed_destination"]) == (1, str(version))


def test_the_examples_are_of_the_newest_span_and_have_its_fingerprint(run: Run):
    said = run.tasks["ImportExampleGen"].output("examples")["metadata"]
    assert said["custom:span"] == SPAN
    assert "split:eval,num_files:1" in said["input_fingerprint"]


def test_the_blessing_names_the_model_by_its_uri(run: Run):
    said = run.tasks["Evaluator"].output("blessing")["metadata"]
    assert said["blessed"] == 1
    assert said["current_model"] == run.tasks["Trainer"].output("model")["uri"]


def test_what_is_said_names_no_folder_of_a_pod(run: Run):
    for task in run.tasks.values():
        assert str(run.walk.pod) not in json.dumps(task.outputs)
