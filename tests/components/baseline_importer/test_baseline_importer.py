"""A version, as AtomicPusher publishes it, comes back as artifacts, alone and in a pipeline."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from ml_metadata.metadata_store import MetadataStore
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components import AtomicPusher, BaselineImporter
from components.atomic_pusher.bundle_files import BundleSources, adopt
from components.baseline_importer.executor import Executor
from components.common import baseline_bundle
from components.common.errors import MonitorError
from tests.support.model_specs import digits_spec


class Adder(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = tf.Variable(1.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x):
        return {"y": self.one + x}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("importer")
    model = Adder()
    tf.saved_model.save(model, str(folder / "model" / "Format-Serving"), signatures={"serving_default": model.serve})
    for path in (
        "statistics/Split-train/FeatureStats.pb",
        "statistics/Split-eval/FeatureStats.pb",
        "baseline_statistics/Split-eval/FeatureStats.pb",
        "baseline_statistics/Split-eval/FeatureSample.npz",
        "evaluation/metrics",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text("# schema")
    (folder / "blessing").mkdir()
    return folder


def run(root: Path, name: str, components: list) -> None:
    connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.sqlite"))
    LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name=name,
            pipeline_root=str(root / "runs"),
            components=components,
            metadata_connection_config=connection,
            enable_cache=True,
        )
    )


@pytest.fixture(scope="module")
def version(root) -> str:
    """Pushed by a pipeline of importers and AtomicPusher."""
    kinds = standard_artifacts
    sources = {
        "model": (kinds.Model, {}, {}),
        "blessing": (kinds.ModelBlessing, {}, {"blessed": 1, "current_model": str(root / "model")}),
        "statistics": (kinds.ExampleStatistics, {"split_names": '["train", "eval"]'}, {}),
        "baseline_statistics": (kinds.ExampleStatistics, {"split_names": '["eval"]'}, {}),
        "schema": (kinds.Schema, {}, {}),
        "evaluation": (kinds.ModelEvaluation, {}, {}),
    }
    made = {
        key: Importer(str(root / key), artifact_type=kind, properties=fixed, custom_properties=custom)
        for key, (kind, fixed, custom) in sources.items()
    }
    for key, each in made.items():
        each.with_id(f"import_{key}")
    found = {key: each.outputs["result"] for key, each in made.items()}
    destination = pusher_pb2.PushDestination()
    destination.filesystem.base_directory = str(root / "serving")
    pusher = AtomicPusher(
        found["model"],
        spec=digits_spec(),
        model_blessing=found["blessing"],
        statistics=found["statistics"],
        baseline_statistics=found["baseline_statistics"],
        schema=found["schema"],
        evaluation=found["evaluation"],
        push_destination=destination,
        run_key="k",
    )
    run(root, "push", [*made.values(), pusher])
    bundle = baseline_bundle.newest(str(root / "serving"))
    assert (bundle.manifest.pipeline_name, bundle.manifest.run_key) == ("push", "k")
    assert bundle.manifest.pipeline_run_id
    return bundle.version_dir


@pytest.fixture
def outputs(tmp_path):
    made = {}
    statistics = ("statistics", "baseline_statistics", "reference_statistics")
    kinds = {"model": "Model", **dict.fromkeys(statistics, "ExampleStatistics"), "schema": "Schema"}
    for key, kind in kinds.items():
        made[key] = getattr(standard_artifacts, kind)()
        made[key].uri = str(tmp_path / key)
    return made


def do(outputs, uri: str, **properties) -> None:
    Executor().Do({}, {key: [value] for key, value in outputs.items()}, {"bundle_uri": uri, **properties})


def pushed(outputs) -> set[str]:
    return {each.get_string_custom_property("bundle_uri") for each in outputs.values()}


def test_the_model_is_where_evaluator_looks_for_it(outputs, version):
    do(outputs, version)
    model = outputs["model"]
    path = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    assert path_utils.eval_model_path(model.uri) == path
    loaded = tf.saved_model.load(path)
    assert float(loaded.signatures["serving_default"](x=tf.constant([41.0]))["y"][0]) == 42.0
    assert not list(Path(model.uri).rglob("manifest.json"))


def test_statistics_and_schema_come_along_and_say_where_from(outputs, version):
    do(outputs, version)
    statistics = outputs["statistics"]
    assert statistics.split_names == '["eval", "train"]'
    text = (Path(statistics.uri) / "Split-eval" / "FeatureStats.pb").read_text()
    assert text == "statistics/Split-eval/FeatureStats.pb"
    baseline = outputs["baseline_statistics"]
    assert baseline.split_names == '["eval"]'
    assert (Path(baseline.uri) / "Split-eval" / "FeatureSample.npz").is_file()
    assert [path.name for path in Path(outputs["schema"].uri).iterdir()] == ["schema.pbtxt"]
    for each in outputs.values():
        assert each.get_string_custom_property("bundle_uri") == version
        assert each.get_string_custom_property("pushed_version") == Path(version).name


def test_what_serving_is_compared_with_is_the_baseline_or_the_reference_in_its_place(outputs, version, tmp_path):
    do(outputs, version)
    reference = outputs["reference_statistics"]
    text = (Path(reference.uri) / "Split-eval" / "FeatureStats.pb").read_text()
    assert (text, reference.split_names) == ("baseline_statistics/Split-eval/FeatureStats.pb", '["eval"]')
    assert reference.get_string_custom_property("reference") == ""
    other = tmp_path / "7"
    shutil.copytree(version, other)
    bundle = other / baseline_bundle.BUNDLE
    (bundle / "reference_statistics" / "Split-eval").mkdir(parents=True)
    (bundle / "reference_statistics" / "Split-eval" / "FeatureStats.pb").write_text("windows")
    manifest = baseline_bundle.read(version).manifest
    windows = baseline_bundle.Reference("20-40", "2026-11-26T01:02:03+00:00", 21_000, "/runs/examples/7")
    changed = dataclasses.replace(
        manifest, pushed_at="later", reference=windows, parts=(*manifest.parts, "reference_statistics")
    )
    (bundle / "manifest.json").write_text(changed.to_json())
    do(outputs, str(other))
    assert (Path(reference.uri) / "Split-eval" / "FeatureStats.pb").read_text() == "windows"
    told = [reference.get_string_custom_property(key) for key in ("reference", "reference_examples")]
    assert told == ["windows 20-40, the reference since 2026-11-26T01:02:03+00:00", "/runs/examples/7"]
    baseline = Path(outputs["baseline_statistics"].uri)
    assert (baseline / "Split-eval" / "FeatureStats.pb").read_text() == text
    # another bundle in the same folder is not the one that the cache has
    assert BaselineImporter(str(other)).exec_properties["as_of"] == "later"
    assert "as_of" not in BaselineImporter(str(tmp_path / "nowhere")).exec_properties


def test_of_a_folder_of_versions_it_is_the_newest_whichever_way_that_is_said(outputs, version):
    serving = str(Path(version).parent)
    do(outputs, serving)
    assert pushed(outputs) == {version}
    do(outputs, "newest", serving_dir=serving, needed=0)
    assert pushed(outputs) == {version}


@pytest.mark.parametrize("given", [{"bundle_uri": "none"}, {"bundle_uri": "newest", "serving_dir": "nowhere"}])
def test_where_none_is_needed_what_it_gives_says_that_it_is_none(outputs, given, tmp_path):
    if "serving_dir" in given:
        given = {**given, "serving_dir": str(tmp_path / "nowhere")}
    do(outputs, given["bundle_uri"], **{**given, "needed": 0})
    assert {each.get_int_custom_property("is_none") for each in outputs.values()} == {1}
    assert outputs["reference_statistics"].split_names == "[]"
    assert not any(Path(each.uri).exists() for each in outputs.values())
    with pytest.raises(MonitorError, match="`bundle_uri` must lead to a pushed version"):
        do(outputs, given["bundle_uri"], **given)


def test_newest_of_nowhere_is_refused_and_none_where_one_is_needed(outputs):
    with pytest.raises(MonitorError, match="`serving_dir` must be a folder of versions"):
        do(outputs, "newest", needed=0)
    with pytest.raises(MonitorError, match=r"`bundle_uri` must be the folder of a pushed version\. Received: 'none'"):
        BaselineImporter("none")


def test_a_version_of_another_model_than_the_pipeline_was_made_for_is_refused(outputs, version):
    do(outputs, version, spec=digits_spec().to_json())
    other = digits_spec(classes=["even", "odd"])
    with pytest.raises(MonitorError, match=r"must be of a model with the spec .* Received: 'another classes'"):
        do(outputs, version, spec=other.to_json())


def test_an_adopted_model_has_no_statistics_of_training(outputs, root, tmp_path):
    served = tmp_path / "my_model"
    shutil.copytree(root / "model" / "Format-Serving", served)
    sources = BundleSources("", str(root / "baseline_statistics"), str(root / "schema"), baseline_examples="/examples")
    bundle = adopt(str(served), sources, digits_spec())
    assert (bundle.manifest.model_version, bundle.manifest.model_uri, bundle.manifest.parts) == (0, str(served), ())
    assert bundle.manifest.baseline_examples_uri == "/examples"
    do(outputs, str(served))
    assert outputs["statistics"].split_names == "[]"
    assert outputs["baseline_statistics"].split_names == '["eval"]'
    assert outputs["model"].get_string_custom_property("pushed_version") == "0"
    assert not list(Path(outputs["model"].uri).rglob("manifest.json"))
    with pytest.raises(MonitorError, match="is there already"):
        adopt(str(served), sources, digits_spec())
    adopt(str(served), sources, digits_spec(), replace=True)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    with pytest.raises(MonitorError, match=r"have a folder baseline_statistics|Split-"):
        adopt(str(served), BundleSources("", str(nothing), str(root / "schema")), digits_spec(), replace=True)
    assert baseline_bundle.read(str(served)).splits() == ["eval"]


def test_what_is_missing_or_damaged_is_said(outputs, version, tmp_path):
    with pytest.raises(MonitorError, match="must be a folder"):
        do(outputs, str(tmp_path / "nowhere"))
    (tmp_path / "bare").mkdir()
    with pytest.raises(MonitorError, match="no baseline bundle"):
        do(outputs, str(tmp_path / "bare"))


def test_an_empty_uri_is_refused_when_the_pipeline_is_built():
    with pytest.raises(MonitorError, match="`bundle_uri` must be the folder of a pushed version"):
        BaselineImporter("")


def test_in_a_pipeline_it_is_lineage_and_comes_from_the_cache_the_second_time(root, version):
    for key in ("", "", "another"):
        run(root, "import", [BaselineImporter(version, key)])
    store = MetadataStore(metadata.sqlite_metadata_connection_config(str(root / "metadata.sqlite")))
    (kind,) = [each for each in store.get_execution_types() if each.name.endswith("BaselineImporter")]
    executions = store.get_executions_by_type(kind.name)
    assert [execution.last_known_state for execution in executions] == [
        executions[0].COMPLETE,
        executions[0].CACHED,
        executions[0].COMPLETE,
    ]
    imported = [a for a in store.get_artifacts_by_type("Model") if "bundle_uri" in a.custom_properties]
    assert [a.custom_properties["bundle_uri"].string_value for a in imported] == [version] * 2
