import dataclasses
import json
import shutil
import threading
from pathlib import Path

import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import io_utils, proto_utils

from components.atomic_pusher import step as atomic_pusher
from components.atomic_pusher.destination import base_directory
from components.atomic_pusher.executor import Executor
from components.common import baseline_bundle
from components.common.artifacts.files import Artifact
from components.common.errors import MonitorError
from components.common.object_store.places import copy_tree
from components.common.step import Output, Step
from components.common.tfx_files import artifact_of
from tests.support.model_specs import digits_spec
from tests.support.warm.starting import warm

SPEC = digits_spec()


def destination(folder, **changes) -> str:
    made = pusher_pb2.PushDestination()
    made.filesystem.base_directory = str(folder)
    for key, value in changes.items():
        setattr(made.filesystem, key, value)
    return proto_utils.proto_to_json(made)


@pytest.fixture
def push(tmp_path, serving, inputs):
    def run(**properties):
        pushed = standard_artifacts.PushedModel()
        pushed.uri = str(tmp_path / "pushed")
        given = {"push_destination": destination(serving), "run_key": "", "judged_against": "", **properties}
        given = {"spec": SPEC.to_json(), **given}
        Executor().Do(inputs, {"pushed_model": [pushed]}, given)
        return pushed

    return run


def load(version: Path) -> float:
    model = tf.saved_model.load(str(version))
    return float(model.signatures["serving_default"](x=tf.constant([21.0]))["y"][0])


def test_model_and_bundle_arrive_together(push, serving, inputs, model):
    pushed = push(run_key="k", judged_against="/serving/1")
    (folder,) = map(Path, baseline_bundle.versions(str(serving)))
    assert load(folder) == 42.0
    assert (folder / "assets.extra" / "tf_serving_warmup_requests").read_bytes() == b"warm"
    bundle = baseline_bundle.read(str(folder))
    assert bundle.splits("statistics") == ["eval", "train"]
    assert bundle.manifest.spec == SPEC
    assert bundle.manifest.parts == ("statistics", "evaluation")
    for part in ("statistics", "baseline_statistics", "evaluation", "schema"):
        source = Path(inputs[part][0].uri)
        assert files(Path(bundle.path(part))) == files(source)
    assert json.loads(Path(bundle.path("gate/reasons.json")).read_text()) == {"blessed": True}
    manifest = bundle.manifest
    assert (manifest.run_key, manifest.judged_against) == ("k", "/serving/1")
    assert (manifest.model_uri, str(manifest.model_version)) == (model.uri, folder.name)
    assert manifest.tensorflow_version == tf.__version__
    assert manifest.baseline_examples_uri is None
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(folder)
    assert pushed.get_string_custom_property("pushed_version") == folder.name
    assert load(Path(pushed.uri)) == 42.0


def test_a_store_gets_what_a_folder_gets(push, bucket, tmp_path):
    pushed = push(push_destination=destination(f"{bucket}/serving"), judged_against=f"{bucket}/serving/1")
    (version,) = baseline_bundle.versions(f"{bucket}/serving")
    assert pushed.get_string_custom_property("pushed_destination") == version
    bundle = baseline_bundle.newest(f"{bucket}/serving")
    assert bundle.version_dir == version
    assert (bundle.splits("statistics"), bundle.manifest.judged_against) == (["eval", "train"], f"{bucket}/serving/1")
    copy_tree(version, str(tmp_path / "copy"))
    assert load(tmp_path / "copy") == 42.0
    assert baseline_bundle.read(str(tmp_path / "copy")).manifest == bundle.manifest


def test_the_bundle_says_where_the_held_out_examples_are(push, serving, inputs):
    examples = standard_artifacts.Examples()
    examples.uri = "/examples/1"
    inputs["baseline_examples"] = [examples]
    push()
    assert baseline_bundle.newest(str(serving)).manifest.baseline_examples_uri == "/examples/1"


def test_without_training_and_evaluation_the_bundle_has_the_baseline_alone(push, serving, inputs):
    del inputs["statistics"], inputs["evaluation"]
    push()
    bundle = baseline_bundle.newest(str(serving))
    assert (bundle.manifest.parts, bundle.splits("statistics"), bundle.splits()) == ((), [], ["eval"])
    assert not Path(bundle.path("evaluation")).exists()


def described(folder: Path, *means: float, images: int = 10) -> None:
    data = statistics_pb2.DatasetFeatureStatistics(num_examples=images)
    for colour, mean in zip(("red", "green", "blue"), means, strict=True):
        feature = data.features.add(path={"step": [f"image_{colour}_mean"]}, type="FLOAT")
        feature.num_stats.mean = mean
        feature.num_stats.common_stats.num_non_missing = images
    folder.mkdir(parents=True, exist_ok=True)
    content = statistics_pb2.DatasetFeatureStatisticsList(datasets=[data]).SerializeToString()
    (folder / "FeatureStats.pb").write_bytes(content)


COLOUR = digits_spec(image={"channels": 3})


def test_the_channel_means_of_colour_images_come_from_the_baseline(push, serving, inputs):
    folder = Path(inputs["baseline_statistics"][0].uri)
    described(folder / "Split-eval", 0.5, 0.25, 0.1, images=30)
    described(folder / "Split-test", 0.9, 0.25, 0.1, images=10)
    push(spec=COLOUR.to_json())
    spec = baseline_bundle.newest(str(serving)).manifest.spec
    assert spec.image.channel_means == pytest.approx((0.6 * 255, 0.25 * 255, 25.5), abs=0.01)
    assert spec.model_copy(update={"image": COLOUR.image}) == COLOUR


def test_channel_means_that_the_spec_has_stay(push, serving, inputs):
    described(Path(inputs["baseline_statistics"][0].uri) / "Split-eval", 0.5, 0.25, 0.1)
    push(spec=digits_spec(image={"channels": 3, "channel_means": [1, 2, 3]}).to_json())
    assert baseline_bundle.newest(str(serving)).manifest.spec.image.channel_means == (1, 2, 3)


def test_without_statistics_of_colours_there_are_no_channel_means(push, serving, inputs):
    bare = statistics_pb2.DatasetFeatureStatisticsList(datasets=[{"num_examples": 1}]).SerializeToString()
    (Path(inputs["baseline_statistics"][0].uri) / "Split-eval" / "FeatureStats.pb").write_bytes(bare)
    push(spec=COLOUR.to_json())
    assert baseline_bundle.newest(str(serving)).manifest.spec == COLOUR


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_no_baseline_is_null(push, serving):
    push()
    assert baseline_bundle.newest(str(serving)).manifest.judged_against is None


def test_two_pushes_are_two_versions(push, serving):
    assert push().get_string_custom_property("pushed_version") != push().get_string_custom_property("pushed_version")
    assert len(baseline_bundle.versions(str(serving))) == 2


def test_an_unblessed_model_is_not_pushed(push, serving, inputs):
    inputs["model_blessing"][0].set_int_custom_property("blessed", 0)
    assert push().get_int_custom_property("pushed") == 0
    assert not serving.exists()


@pytest.mark.parametrize("blessings", [None, []])
def test_without_a_blessing_nothing_is_pushed(push, serving, inputs, blessings):
    if blessings is None:
        del inputs["model_blessing"]
    else:
        inputs["model_blessing"] = blessings
    with pytest.raises(MonitorError, match="`model_blessing` must hold one blessing"):
        push()
    assert not serving.exists()


def test_another_models_blessing_is_refused(push, serving, inputs):
    inputs["model_blessing"][0].set_string_custom_property("current_model", "/another")
    with pytest.raises(MonitorError, match="must be about the model"):
        push()
    assert not serving.exists()


def test_a_blessing_of_another_component_has_no_reasons(push, serving, inputs):
    (Path(inputs["model_blessing"][0].uri) / "reasons.json").unlink()
    push()
    assert not Path(baseline_bundle.newest(str(serving)).path("gate")).exists()


@pytest.mark.parametrize(("key", "rest"), [("statistics", "Split-*"), ("schema", "hold one schema")])
def test_a_bundle_that_would_be_damaged_is_not_published(push, serving, inputs, key, rest):
    folder = Path(inputs[key][0].uri)
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(MonitorError, match=rest.replace("*", r"\*")):
        push()
    assert baseline_bundle.versions(str(serving)) == []


def test_a_folder_that_is_no_model_is_refused(push, serving, inputs, tmp_path):
    (tmp_path / "nothing" / "Format-Serving").mkdir(parents=True)
    inputs["model"][0] = standard_artifacts.Model()
    inputs["model"][0].uri = str(tmp_path / "nothing")
    inputs["model_blessing"][0].set_string_custom_property("current_model", "")
    with pytest.raises(MonitorError, match="hold a SavedModel"):
        push()
    assert not serving.exists()


@pytest.mark.parametrize("step", range(8))
def test_a_copy_that_fails_publishes_nothing(push, serving, monkeypatch, step):
    push()
    before = baseline_bundle.versions(str(serving))
    calls = 0

    def failing(real):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == step + 1:
                raise OSError("disk full")
            return real(*args, **kwargs)

        return call

    for name in ("copy_dir", "write_bytes_file"):
        monkeypatch.setattr(io_utils, name, failing(getattr(io_utils, name)))
    with pytest.raises(OSError, match="disk full"):
        push()
    assert baseline_bundle.versions(str(serving)) == before
    assert load(Path(before[0])) == 42.0
    assert sorted(path.name for path in serving.iterdir()) == [".push.lock", Path(before[0]).name]


PUSHER = """
import json, os, signal, sys
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts
from components.atomic_pusher.executor import Executor

spec = json.loads(sys.argv[1])
real, copied = fileio.copy, []

def copy(source, target, overwrite=False):
    real(source, target, overwrite)
    copied.append(target)
    if len([each for each in copied if "/serving/" in each]) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

fileio.copy = copy
inputs = {}
for key, (kind, uri) in spec["inputs"].items():
    inputs[key] = [getattr(standard_artifacts, kind)()]
    inputs[key][0].uri = uri
inputs["model_blessing"][0].set_int_custom_property("blessed", 1)
pushed = standard_artifacts.PushedModel()
pushed.uri = spec["pushed"]
Executor().Do(inputs, {"pushed_model": [pushed]}, spec["properties"])
"""


def test_killed_in_the_middle_of_a_copy_the_last_version_keeps_serving(push, serving, inputs, tmp_path):
    push()
    spec = {
        "inputs": {key: (type(value[0]).__name__, value[0].uri) for key, value in inputs.items()},
        "pushed": str(tmp_path / "killed"),
        "properties": {
            "push_destination": destination(serving),
            "spec": SPEC.to_json(),
            "run_key": "",
            "judged_against": "",
        },
    }
    done, loaded, errors = threading.Event(), {}, []
    watcher = threading.Thread(target=watch, args=(serving, done, loaded, errors))
    watcher.start()
    killed = warm().call("python", "-c", PUSHER, json.dumps(spec))
    staged = list(serving.glob(".push-*/version/*"))
    push()
    done.set()
    watcher.join()
    assert killed.returncode == -9, killed.stderr[-2000:]
    assert staged, "it was killed while it copied"
    assert errors == []
    assert list(loaded.values()) == [42.0, 42.0]
    assert list(serving.glob(".push-*")) == []


def watch(serving: Path, done: threading.Event, loaded: dict[str, float], errors: list[BaseException]) -> None:
    """Loads each version it sees, as a model server would."""
    while True:
        last = done.is_set()
        for version in baseline_bundle.versions(str(serving)):
            if version in loaded:
                continue
            try:
                loaded[version] = load(Path(version))
                baseline_bundle.read(version)
            except BaseException as error:  # handed to the test
                errors.append(error)
                return
        if last:
            return
        done.wait(0.01)


@pytest.mark.parametrize(
    ("push_destination", "expected"),
    [
        (destination("hdfs://node/serving"), "or a folder of an object store.* Received: 'hdfs://node/serving'"),
        (destination("s3://B/serving"), "base_directory` must name a bucket"),
        (destination("gs://bucket/../serving"), "base_directory` must have names between its slashes"),
        (destination(""), "must be a path"),
        ("{}", "must have a filesystem"),
        (destination("/serving", versioning=9), "must be AUTO or UNIX_TIMESTAMP"),
        ('{"filesystem": {"base_directory": 7}}', "must be a path"),
        ('{"filesystem": {"base_directory": "/serving", "version": 1}}', "have base_directory and versioning"),
        ('{"rpc": {}}', "which has nothing but a filesystem"),
        ("[]", "which has nothing but a filesystem"),
    ],
)
def test_destinations_without_an_atomic_rename_are_refused(push_destination, expected):
    with pytest.raises(MonitorError, match=expected):
        base_directory(push_destination)


@pytest.mark.parametrize("versioning", [0, 1])
def test_a_destination_is_read_as_tfx_writes_it_by_either_name(versioning):
    made = pusher_pb2.PushDestination()
    made.filesystem.base_directory, made.filesystem.versioning = "/serving", versioning
    for text in (proto_utils.proto_to_json(made), json_format.MessageToJson(made)):
        assert base_directory(text) == "/serving"


def test_records_name_artifacts_as_everybody_knows_them_and_the_run(serving, inputs, tmp_path):
    """Without TFX: the model and the examples are read as copies, in a pod, and the Evaluator names the pod's copy."""

    def known(key, artifact):
        return [dataclasses.replace(artifact_of(artifact), address=f"s3://runs/{key}")]

    given = {key: known(key, *artifacts) for key, artifacts in inputs.items()}
    given["baseline_examples"] = [Artifact("/pod/examples", address="s3://runs/examples")]
    parameters = {"push_destination": destination(serving), "spec": SPEC.to_json()}
    pushed = Output(str(tmp_path / "pushed"))
    atomic_pusher.run(Step(given, {"pushed_model": [pushed]}, parameters, pipeline="train", run_id="7f"))
    bundle = baseline_bundle.newest(str(serving))
    manifest = bundle.manifest
    assert (manifest.model_uri, manifest.baseline_examples_uri) == ("s3://runs/model", "s3://runs/examples")
    assert (manifest.pipeline_name, manifest.pipeline_run_id) == ("train", "7f")
    assert pushed.properties["pushed_destination"] == bundle.version_dir
    assert load(Path(bundle.version_dir)) == load(tmp_path / "pushed") == 42.0
    about = dataclasses.replace(given["model_blessing"][0], properties={"blessed": 1, "current_model": "s3://other"})
    with pytest.raises(MonitorError, match="`model_blessing` must be about the model s3://runs/model"):
        atomic_pusher.run(Step({**given, "model_blessing": [about]}, {"pushed_model": [pushed]}, parameters))
