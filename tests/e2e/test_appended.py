"""A pipeline of stock components whose maker knows nothing of this one, with what `monitored_push` gives appended.

The digits of scikit-learn, a trainer in a module file, and TFX's own runner: a good model is pushed, a span like the
held-out examples is fine, a blurred one ends the run of the monitoring pipeline in failure.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tfx.components import Evaluator, ExampleValidator, ImportExampleGen, SchemaGen, StatisticsGen, Trainer
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2, trainer_pb2

from components.common import baseline_bundle
from components.common.baseline_bundle import Bundle
from components.common.errors import MonitorError
from model_monitor.reading import run_store
from pipelines import monitoring_pipeline
from pipelines.config import LOCAL_BEAM_ARGS
from tests.support import foreign_data, foreign_models
from tests.support.code_blocks import named
from tests.support.model_specs import digits_spec

pytestmark = pytest.mark.long

TRAINER = Path(__file__).parents[1] / "support" / "trainers" / "digits_trainer.py"
ARGUMENTS = {
    "pipeline_root": "runs",
    "metadata_connection_config": metadata.sqlite_metadata_connection_config("runs/metadata.sqlite"),
    "beam_pipeline_args": list(LOCAL_BEAM_ARGS),
}
EVAL_CONFIG = """
  model_specs { signature_name: "serve_examples" label_key: "image/class/label" prediction_key: "dense_1" }
  slicing_specs {}
  metrics_specs {
    metrics {
      class_name: "SparseCategoricalAccuracy"
      config: '"name": "accuracy"'
      threshold { value_threshold { lower_bound { value: 0.8 } } }
    }
  }
"""


def stock(examples_dir: Path, trainer_file: Path) -> dict[str, Any]:
    """What was there before, by the names that README calls it."""
    patterns = {"train": "train*", "eval": "eval*"}
    splits = [example_gen_pb2.Input.Split(name=name, pattern=pattern) for name, pattern in patterns.items()]
    example_gen = ImportExampleGen(input_base=str(examples_dir), input_config=example_gen_pb2.Input(splits=splits))
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples)
    schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"])
    validator = ExampleValidator(statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"])
    trainer = Trainer(
        module_file=str(trainer_file),
        examples=examples,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
    )
    evaluator = Evaluator(
        examples=examples,
        model=trainer.outputs["model"],
        example_splits=["eval"],
        eval_config=text_format.Parse(EVAL_CONFIG, tfma.EvalConfig()),
    )
    return {
        "example_gen": example_gen,
        "statistics_gen": statistics_gen,
        "schema_gen": schema_gen,
        "example_validator": validator,
        "trainer": trainer,
        "evaluator": evaluator,
    }


@pytest.fixture(scope="module")
def data() -> foreign_data.Labelled:
    return foreign_data.digits()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data: foreign_data.Labelled) -> Iterator[Path]:
    """The working directory of all that follows, with the maker's data and code, and the spec."""
    made = tmp_path_factory.mktemp("digits")
    for name, part in (("train", data.part(0, 900)), ("eval", data.part(900, 1400))):
        foreign_data.write_examples(made / "data" / f"{name}.gz", part, foreign_models.DIGIT_FEATURES)
    (made / "code").mkdir()
    shutil.copy(TRAINER, made / "code")
    (made / "monitor.yaml").write_text(digits_spec(signatures={"examples": "serve_examples"}).to_yaml())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        yield made


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    """What a run of the stock pipeline has pushed, with what README appends to it."""
    names = stock(folder / "data", folder / "code" / TRAINER.name)
    names["components"] = list(names.values())
    run_readme("a stock pipeline", names)
    LocalDagRunner().run(Pipeline(pipeline_name="stock", components=names["components"], **ARGUMENTS))
    found = baseline_bundle.newest("serving")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def logs(bundle: Bundle, data: foreign_data.Labelled) -> Path:
    """Span 1 is like the held-out examples, span 2 out of focus."""
    window = data.part(1400, 1797)
    foreign_models.serve_digits(Path(bundle.version_dir), Path("logs"), 1, window)
    foreign_models.serve_digits(Path(bundle.version_dir), Path("logs"), 2, window.blurred(2.0))
    return Path("logs")


def run_readme(name: str, names: dict[str, Any]) -> None:
    """Runs the code block of README that says it is run here by this name, with `names` to begin with."""
    exec(compile(named("README.md", name).text, f"README.md: {name}", "exec"), names)  # noqa: S102 - it is what is tested


def test_the_model_is_pushed_with_its_spec_and_its_baseline(bundle: Bundle):
    assert bundle.manifest.spec.classes == digits_spec().classes
    assert bundle.splits(baseline_bundle.BASELINE_STATISTICS_DIR) == ["eval"]


def test_what_is_appended_is_at_most_15_lines():
    assert len(named("README.md", "a stock pipeline").text.splitlines()) <= 15


def test_a_span_like_the_held_out_examples_is_fine(logs: Path):
    run_readme("a span", {"LocalDagRunner": LocalDagRunner, "metadata": metadata})


def test_a_blurred_span_ends_the_run_in_failure_after_its_report_is_made(logs: Path):
    pipeline = monitoring_pipeline("serving", logs=logs, span=2, fail_unless_fine=True, **ARGUMENTS)
    with pytest.raises(MonitorError, match=r"Span 2 is (changed|degraded|invalid|undecided): .*he window differs"):
        LocalDagRunner().run(pipeline)
    store = run_store.open_store(Path("runs/metadata.sqlite"))
    newest = next(iter(run_store.runs(store, "monitoring", newest_first=True)))
    page = Path(newest.node("ValidationReport").output("report").path("report.html"))
    assert re.search("Span 2 is (changed|degraded|invalid|undecided): .*he window differs", page.read_text())
