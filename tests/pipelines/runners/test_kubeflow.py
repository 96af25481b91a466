"""What a pipeline compiles to for Kubeflow Pipelines, and what is refused. Nothing runs."""

import json

import pytest
from kfp.components import load_component_from_text

from components.common.errors import MonitorError
from components.common.lasting import require_lasting
from pipelines.kubeflow_settings import KubeflowConfig, Mount, Resources, Secret
from pipelines.runners.kubeflow import compile_pipeline
from pipelines.runners.project_version import project_version
from tests.support.kubeflow.compiled import IMAGE, containers, documents, monitoring_pipeline, training_pipeline

PIPELINES = {"training": training_pipeline, "monitoring": monitoring_pipeline}
MOUNT = Mount(claim="models", path="/serving")


def spec_of(pipeline, **arguments):
    return documents(compile_pipeline(pipeline, image=IMAGE, **arguments))[0]


def cached(spec) -> set[str]:
    tasks = spec["root"]["dag"]["tasks"]
    return {name for name, task in tasks.items() if task.get("cachingOptions", {}).get("enableCache")}


@pytest.mark.parametrize("which", PIPELINES)
def test_kfp_s_own_loader_reads_what_is_compiled_and_each_step_runs_the_entry_point(which: str):
    pipeline = PIPELINES[which]()
    text = compile_pipeline(pipeline, image=IMAGE)
    loaded = load_component_from_text(text)
    assert loaded.name == pipeline.pipeline_info.pipeline_name
    (spec,) = documents(text)
    steps = containers(spec)
    assert set(steps) == {node.id for node in pipeline.components}
    entry_point = ["python", "-m", "pipelines.runners.kfp_entrypoint", f"--compiled_by={project_version()}"]
    for step in steps.values():
        assert (step["image"], step["command"]) == (IMAGE, entry_point)
        assert "lifecycle" not in step
    assert all(name.startswith("comp-") for name in spec["components"])


def test_what_a_run_can_say_anew_has_the_default_that_the_configuration_says():
    settings = ("dataset=s3://data/cifar10", "serving_dir=s3://models", "serving_logs=gs://logs", "baseline=none",
                "monitor.false_alarm_rate=0.05")  # fmt: skip
    loaded = load_component_from_text(compile_pipeline(training_pipeline(*settings), image=IMAGE))
    said = {name: (each.type, each.default) for name, each in loaded.component_spec.inputs.items()}
    said.pop("planned_nodes")
    assert said == {
        "data": ("String", "s3://data/cifar10"), "destination": ("String", "s3://models"),
        "baseline": ("String", "none"), "logs": ("String", "gs://logs"), "span": ("String", "newest"),
        "false_alarm_rate": ("Float", 0.05),
    }  # fmt: skip
    loaded = load_component_from_text(compile_pipeline(monitoring_pipeline("bundle=s3://models/7"), image=IMAGE))
    said = {name: each.default for name, each in loaded.component_spec.inputs.items()}
    nodes = [node.id for node in monitoring_pipeline("bundle=s3://models/7").components]
    assert json.loads(said.pop("planned_nodes")) == nodes
    assert said == {
        "baseline": "s3://models/7", "logs": None, "span": "newest", "previous": "none", "labels": "none",
        "false_alarm_rate": 0.01,
    }  # fmt: skip
    declared = spec_of(training_pipeline())["root"]["inputDefinitions"]["parameters"]
    assert all(each["description"].endswith(".") for each in declared.values())
    assert {name for name, each in declared.items() if "defaultValue" not in each} == {"data", "destination"}


def test_what_depends_on_more_than_its_inputs_is_not_taken_from_the_cache():
    logs = "serving_logs=s3://logs"
    training, monitoring = spec_of(training_pipeline(logs)), spec_of(monitoring_pipeline(logs))
    anew = {"Cifar10ExampleGen", "ServingLogExampleGen", "BaselineImporter", "PreviousStatistics", "AtomicPusher"}
    assert set(training["root"]["dag"]["tasks"]) - cached(training) == anew - {"PreviousStatistics"}
    others = {"Cifar10ExampleGen", "AtomicPusher"}
    assert set(monitoring["root"]["dag"]["tasks"]) - cached(monitoring) == anew - others | {"PerformanceEstimator"}


def test_a_page_has_the_type_that_kubeflow_shows_and_its_reader_knows_ours():
    spec = spec_of(monitoring_pipeline("kubeflow.fail_unless_fine=true"))
    shown = {"schemaTitle": "system.HTML", "schemaVersion": "0.0.1"}
    made = spec["components"]["comp-ValidationReport"]["outputDefinitions"]["artifacts"]["report"]
    taken = spec["components"]["comp-VerdictGuard"]["inputDefinitions"]["artifacts"]["report"]
    assert (made["artifactType"], taken["artifactType"]) == (shown, shown)
    arguments = containers(spec)["VerdictGuard"]["args"]
    told = json.loads(arguments[arguments.index("--json_serialized_inputs_spec_args") + 1])
    assert "title: components.HtmlReport" in told["artifacts"]["report"]["artifactType"]["instanceSchema"]


def test_steps_have_the_resources_the_variables_the_secrets_and_the_volumes_that_the_settings_say():
    settings = KubeflowConfig(
        image=IMAGE,
        image_pull_secrets=("pull",),
        env={"AWS_ENDPOINT_URL": "http://minio-service.kubeflow:9000"},
        secrets=(Secret(name="store", env={"AWS_SECRET_ACCESS_KEY": "secretkey"}),),
        mounts=(MOUNT, Mount(claim="weights", path="/weights", nodes=("Trainer",))),
        resources={
            "Trainer": Resources(cpu=4, memory_gb=16, accelerator="nvidia.com/gpu"),
            "default": Resources(memory_gb=4),
        },
    )
    text = compile_pipeline(training_pipeline("serving_dir=/serving/cifar10"), settings=settings)
    assert load_component_from_text(text).platform_spec.ByteSize()
    spec, platform = documents(text)
    steps = containers(spec)
    gpu = {"type": "nvidia.com/gpu", "count": "1"}
    assert steps["Trainer"]["resources"] == {"cpuLimit": 4.0, "memoryLimit": 16.0, "accelerator": gpu}
    assert steps["PushGate"]["resources"] == {"memoryLimit": 4.0}
    assert steps["PushGate"]["env"] == [{"name": "AWS_ENDPOINT_URL", "value": "http://minio-service.kubeflow:9000"}]
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(executors) == {f"{name}_executor" for name in steps}
    secret = {"secretName": "store", "keyToEnv": [{"secretKey": "secretkey", "envVar": "AWS_SECRET_ACCESS_KEY"}]}
    for config in executors.values():
        assert (config["secretAsEnv"], config["imagePullSecret"]) == ([secret], [{"secretName": "pull"}])
    volumes = {name: [each["constant"] for each in config.get("pvcMount", [])] for name, config in executors.items()}
    outside = {"AtomicPusher_executor", "BaselineImporter_executor", "Cifar10ExampleGen_executor"}
    assert {name for name, claims in volumes.items() if claims == ["models"]} == outside
    assert volumes["Trainer_executor"] == ["weights"]


def test_an_image_is_needed():
    for image in ("", "two words"):
        with pytest.raises(MonitorError, match="`image` must be the container image"):
            compile_pipeline(monitoring_pipeline(), image=image)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("serving_dir=/serving", r"AtomicPusher must .* parameter `destination`, that .* volume of `kubeflow\.mounts`"),
        ("serving_dir=models", r"AtomicPusher must have a `push_destination`, .* Received: 'models'"),
        ("dataset=/data", r"Cifar10ExampleGen must have a `input_base`, .* Received: '/data'"),
        ("serving_logs=hdfs://logs", "parameter `logs`, that begins with one of gs://, s3://, minio://"),
        ("baseline=/models/7", r"BaselineImporter must have a `bundle_uri`, .* Received: '/models/7'"),
    ],
)
def test_a_place_that_a_pod_would_not_find_is_refused(settings: str, sentence: str):
    with pytest.raises(MonitorError, match=sentence):
        compile_pipeline(training_pipeline(settings), image=IMAGE)


def test_a_place_on_a_volume_is_one_that_a_pod_finds():
    settings = KubeflowConfig(mounts=(MOUNT,))
    for folder in ("/serving", "/serving/cifar10"):
        spec_of(training_pipeline(f"serving_dir={folder}"), settings=settings)
    for folder in ("/serving2", "/serving/../models"):
        with pytest.raises(MonitorError, match="AtomicPusher must have a `push_destination`"):
            spec_of(training_pipeline(f"serving_dir={folder}"), settings=settings)


def volumes_told(spec) -> list[str]:
    told = spec["root"]["dag"]["tasks"]["AtomicPusher"]["inputs"]["parameters"]["volumes"]
    return json.loads(told["runtimeValue"]["constant"])


def test_the_push_knows_what_lasts_of_its_file_system_whatever_destination_a_run_says():
    weights = Mount(claim="weights", path="/weights", nodes=("Trainer",))
    spec = spec_of(training_pipeline(), settings=KubeflowConfig(mounts=(MOUNT, weights)))
    assert volumes_told(spec) == ["/serving"]
    assert volumes_told(spec_of(training_pipeline())) == []
    assert volumes_told(spec_of(training_pipeline(), target="vertex")) == ["/gcs"]


@pytest.mark.parametrize(
    ("destination", "volumes", "lasts"),
    [("/serving/x", "", True), ("/serving/x", '["/serving"]', True), ("s3://b/x", "[]", True),
     ("/serving2", '["/serving"]', False), ("/serving/../x", '["/serving"]', False), ("/serving", "[]", False)],
)  # fmt: skip
def test_a_push_into_what_ends_with_the_pod_is_refused_when_a_run_asks_for_it(destination, volumes, lasts):
    if lasts:
        require_lasting(destination, volumes, "push_destination")
        return
    with pytest.raises(MonitorError, match=r"must be in an object store or on a volume of the step .* ends with it"):
        require_lasting(destination, volumes, "push_destination")


def test_for_vertex_ai_places_are_in_cloud_storage_and_what_only_kubernetes_has_is_refused():
    places = ("serving_dir=gs://models", "dataset=/gcs/data/cifar10")
    settings = KubeflowConfig(env={"A": "b"}, resources={"Trainer": Resources(accelerator="NVIDIA_TESLA_T4")})
    spec = spec_of(training_pipeline(*places), settings=settings, target="vertex")
    assert containers(spec)["Trainer"]["resources"]["accelerator"]["type"] == "NVIDIA_TESLA_T4"
    with pytest.raises(MonitorError, match=r"`kubeflow\.mounts` must be left out for Vertex AI"):
        spec_of(training_pipeline(*places), settings=KubeflowConfig(mounts=(MOUNT,)), target="vertex")
    with pytest.raises(MonitorError, match=r"must have a `push_destination`, .* that begins with one of gs://"):
        spec_of(training_pipeline("serving_dir=s3://models"), target="vertex")
    with pytest.raises(MonitorError, match=r"an accelerator must be a resource of Kubernetes, such as nvidia\.com/gpu"):
        spec_of(training_pipeline(), settings=settings)
    with pytest.raises(MonitorError, match="`target` must be one of kfp, vertex"):
        spec_of(training_pipeline(), target="argo")


@pytest.mark.parametrize(
    "settings",
    [
        KubeflowConfig(resources={"Trainr": Resources(cpu=1)}),
        KubeflowConfig(mounts=(Mount(claim="m", path="/m", nodes=("Trainr",)),)),
    ],
)
def test_settings_of_a_node_that_is_not_there_are_refused(settings: KubeflowConfig):
    with pytest.raises(MonitorError, match=r"kubeflow.* Received: 'Trainr' \(did you mean 'Trainer'\?\)"):
        spec_of(training_pipeline(), settings=settings)
