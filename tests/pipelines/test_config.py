"""The configuration: defaults by data set, precedence, and messages that name place, key, rule and value."""

from pathlib import Path

import pytest

from components.cifar10_example_gen.cifar10_format import IMAGE_SHAPE
from components.common.errors import MonitorError
from pipelines import config
from pipelines.cifar10.config import DATASET_DEFAULTS, Cifar10Config, default_spec
from pipelines.config import MonitoringConfig, TrainingConfig


def test_defaults_depend_on_the_data_set():
    assert config.load(Cifar10Config).trainer.epochs == DATASET_DEFAULTS["sample"]["trainer"]["epochs"]
    full = config.load(Cifar10Config, overrides={"dataset": "full"})
    assert full.trainer.epochs == DATASET_DEFAULTS["full"]["trainer"]["epochs"]


def test_later_sources_win(tmp_path: Path):
    file = tmp_path / "run.yaml"
    file.write_text("dataset: full\nname: from-file\ntrainer: {epochs: 2, seed: 7}\n")
    loaded = config.load(Cifar10Config, file, ["trainer.epochs=3", "name=from-setting"], {"dataset": "sample"})
    assert (loaded.dataset, loaded.name) == ("sample", "from-setting")
    assert (loaded.trainer.epochs, loaded.trainer.seed) == (3, 7)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("trainer.epoch=3", "--set trainer.epoch=3: there is no key `trainer.epoch` (did you mean 'epochs'?)"),
        ("nam=x", "there is no key `nam` (did you mean 'name'?)"),
        ("trainer.epochs=many", "`trainer.epochs` must be a valid integer. Received: 'many'"),
        ("trainer.epochs=0", "`trainer.epochs` must be greater than or equal to 1. Received: 0"),
        ("trainer.model=vgg", "`trainer.model` must be 'tiny_cnn', 'small_cnn' or 'vgg16'. Received: 'vgg'"),
        ("trainer=3", "`trainer` must be a section. Received: 3"),
        ("name=Upper_Case", "`name` must match pattern"),
        ("cache=3", "`cache` must be a valid boolean. Received: 3"),
        ("beam_args=[1]", "`beam_args` must be a valid string. Received: 1"),
        ("epochs", "`--set` must be key=value. Received: 'epochs'"),
        ("name=[", "`--set name` must be YAML. Received: while parsing a flow node, expected the node content"),
        ("monitor.false_alarm_rate=0.0001", "`monitor` must have `permutations` of 55154 or more"),
    ],
)
def test_a_bad_setting_says_what_where_and_what_is_allowed(setting: str, expected: str):
    with pytest.raises(MonitorError) as caught:
        config.load(Cifar10Config, settings=[setting])
    assert expected in str(caught.value)


@pytest.mark.parametrize("character", ["[", "*", "?"])
@pytest.mark.parametrize("key", ["root", "serving_dir", "serving_logs", "bundle"])
def test_a_path_that_would_be_a_pattern_is_refused_at_once(key: str, character: str):
    rule = f"`{key}` must have none of the characters `[`, `*` and `?`, which mean something else in TFX's patterns"
    with pytest.raises(MonitorError) as caught:
        config.load(MonitoringConfig, settings=[f"{key}='/srv/a{character}b/c'"])
    assert str(caught.value).startswith(f"--set {key}='/srv/a{character}b/c': {rule}")
    assert str(caught.value).endswith(f"Received: '/srv/a{character}b/c'")


def test_a_default_path_is_refused_where_the_working_directory_would_be_a_pattern(tmp_path: Path, monkeypatch):
    odd = tmp_path / "runs [1]"
    odd.mkdir()
    monkeypatch.chdir(odd)
    with pytest.raises(MonitorError, match=r"`root` must .*; it is /.*/runs \[1\]/runs\. Received: 'runs'"):
        config.load(MonitoringConfig)
    assert config.load(MonitoringConfig, settings=[f"root={tmp_path}/runs"]).root_path == tmp_path / "runs"


HOSTILE = [
    "name: 2024-01-31",
    "name: 2024-01-31 10:00:00",
    "name: !!set {a, b}",
    "name: !!binary aGVsbG8=",
    "a: &x [*x]",
    "monitor: &x {seed: *x}",
    f"monitor: {{seed: {'9' * 5_000}}}",
    "monitor: {seed: 1e999}",
    "monitor: {seed: .nan}",
    f"monitor: {{seed: {2**200}}}",
    'name: "\\ud800"',
    'name: "\\0"',
    'root: "a\\0b"',
    "1: 2",
    "~: 2",
    "? [a]\n: 2",
    "beam_args: {a: 1}",
    "monitor: []",
    "monitor: {monitor: {monitor: {}}}",
    "name: {name: {name: x}}",
    "[" * 200,
    "a: " * 200,
    "- " * 200 + "x",
    "&a a: *a",
    "<<: 3",
    "<<: [a]",
    "!!python/name:os.system x: 1",
    "a: b: c",
    "\t",
    "%TAG",
    "a: !!int x",
    "a: !!float x",
    "a: !!bool x",
    "a: !!null x",
    "a: !!seq x",
    "a: !!map x",
    "a: !!str [x]",
    "!!str a: b",
    "monitor: {false_alarm_rate: .inf}",
    "monitor: {false_alarm_rate: -0.0}",
    "x: |\n" + "  y\n" * 10,
    "=: 3",
    "monitor: =",
]


@pytest.mark.parametrize("kind", [Cifar10Config, MonitoringConfig])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_settings_end_in_a_sentence_that_names_the_file(tmp_path: Path, text: str, kind):
    file = tmp_path / "run.yaml"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(MonitorError) as caught:
        config.load(kind, file)
    assert str(file) in str(caught.value)
    assert len(str(caught.value)) < 20_000


@pytest.mark.parametrize(
    "value", ["2024-01-31", "!!set {a}", "9" * 5_000, "&x [*x]", "[" * 5_000, '"\\ud800"', "\udcff", "=", "!!binary x"]
)
def test_hostile_settings_of_the_command_line_end_in_a_sentence(value: str):
    with pytest.raises(MonitorError, match=r"--set name"):
        config.load(Cifar10Config, settings=[f"name={value}"])


def test_every_error_of_a_file_is_reported_with_its_place(tmp_path: Path):
    file = tmp_path / "run.yaml"
    file.write_text("dataset: 3\ntrainer: {epochs: -1}\n")
    with pytest.raises(MonitorError) as caught:
        config.load(Cifar10Config, file)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{file}: ") for line in lines)


@pytest.mark.parametrize("content", ["a: [", "- 1\n- 2\n", "just text"])
def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, content: str):
    file = tmp_path / "run.yaml"
    file.write_text(content)
    with pytest.raises(MonitorError, match=r"run\.yaml"):
        config.load(Cifar10Config, file)


def test_a_missing_policy_file_is_named(tmp_path: Path):
    loaded = config.load(Cifar10Config, settings=[f"schema_dir={tmp_path}"])
    with pytest.raises(MonitorError, match=r"schema\.pbtxt"):
        loaded.policy_file("schema.pbtxt")


def test_the_run_key_changes_with_settings_policy_and_data_but_not_with_the_baseline(tmp_path: Path):
    data, policy = tmp_path / "data", tmp_path / "policy"
    data.mkdir()
    policy.mkdir()
    (data / "data_batch_1.bin").write_bytes(b"x")
    (policy / "push_policy.yaml").write_text("a: 1\n")

    def key(*settings: str) -> str:
        return config.load(Cifar10Config, settings=[f"schema_dir={policy}", *settings]).run_key(data)

    first = key()
    assert first == key() == key("baseline=none") == key("cache=false") == key("monitor.fail_on=[degraded]")
    assert first != key("trainer.seed=1")
    (policy / "push_policy.yaml").write_text("a: 2\n")
    second = key()
    assert second != first
    logs = tmp_path / "logs"
    (logs / "1").mkdir(parents=True)
    (logs / "1" / "part-1.tfrecord.gz").write_bytes(b"y")
    with_logs = key(f"serving_logs={logs}")
    assert with_logs != second
    (logs / "1" / "part-0.tfrecord.gz").write_bytes(b"z")
    assert key(f"serving_logs={logs}") != with_logs
    (data / "data_batch_2.bin").write_bytes(b"y")
    assert key() != second


def test_monitoring_has_settings_of_its_own(tmp_path: Path):
    loaded = config.load(MonitoringConfig, None, ["monitor.false_alarm_rate=0.05"], {"labels": "l.csv"})
    assert (loaded.name, loaded.labels, loaded.monitor.false_alarm_rate) == ("monitoring", "l.csv", 0.05)
    with pytest.raises(MonitorError, match="there is no key `trainer`"):
        config.load(MonitoringConfig, settings=["trainer.epochs=3"])
    with pytest.raises(
        MonitorError, match=r"`monitor\.false_alarm_rate` must be less than or equal to 0\.5\. Received: 2"
    ):
        config.load(MonitoringConfig, settings=["monitor.false_alarm_rate=2"])


def test_serving_logs_must_have_a_span(tmp_path: Path):
    (tmp_path / "part-0.tfrecord.gz").touch()
    (tmp_path / ".writing").mkdir()
    (tmp_path / "20781").mkdir()
    loaded = config.load(MonitoringConfig, settings=[f"serving_logs={tmp_path}"])
    told = r"`serving_logs` must be a folder of serving logs, with a span .*; .*20781 is without logs"
    with pytest.raises(MonitorError, match=told):
        _ = loaded.serving_spans
    (tmp_path / "20781" / "part-0").touch()
    assert loaded.serving_logs_path == tmp_path
    assert [each.span for each in loaded.serving_spans.spans] == [20781]


def test_training_on_other_data_needs_a_policy_folder_and_has_no_settings_of_the_example(tmp_path: Path):
    with pytest.raises(MonitorError, match="`schema_dir` must be given"):
        config.load(TrainingConfig)
    loaded = config.load(TrainingConfig, settings=[f"schema_dir={tmp_path}"])
    assert (loaded.name, loaded.eval_config) == ("training", "eval_config.pbtxt")
    with pytest.raises(MonitorError, match="there is no key `dataset`"):
        config.load(TrainingConfig, settings=[f"schema_dir={tmp_path}", "dataset=full"])


def test_the_spec_of_the_example_is_about_the_images_that_its_reader_gives():
    assert default_spec().image_shape == IMAGE_SHAPE


def test_the_model_is_described_in_the_policy_folder_or_in_a_file_of_its_own(tmp_path: Path):
    assert config.load(Cifar10Config).spec.classes[3] == "cat"
    with pytest.raises(MonitorError, match=r"`schema_dir` must hold a file model_spec\.yaml"):
        _ = config.load(TrainingConfig, settings=[f"schema_dir={tmp_path}"]).spec
    other = tmp_path / "other.yaml"
    other.write_text(config.load(Cifar10Config).spec.to_yaml().replace("cat", "lynx"))
    loaded = config.load(TrainingConfig, settings=[f"schema_dir={tmp_path}", f"model_spec={other}"])
    assert loaded.spec.classes[3] == "lynx"
    before = loaded.run_key(tmp_path / "data")
    other.write_text(other.read_text().replace("lynx", "puma"))
    assert loaded.run_key(tmp_path / "data") != before


def test_a_configuration_of_any_kind_says_where_things_are(tmp_path: Path):
    kinds = (Cifar10Config, MonitoringConfig)
    assert isinstance(config.load_any(kinds, None, ["trainer.epochs=3"]), Cifar10Config)
    assert isinstance(config.load_any(kinds, None, ["labels=l.csv"]), MonitoringConfig)
    with pytest.raises(MonitorError, match="there is no key `lables`") as caught:
        config.load_any(kinds, None, ["lables=l.csv"])
    assert "trainer" in str(caught.value), "the keys are those of the first kind"


def test_where_versions_go_may_be_in_a_store_and_whoever_needs_a_folder_says_so(tmp_path):
    loaded = config.load(Cifar10Config, None, ["serving_dir=s3://bucket/serving"])
    assert loaded.serving == "s3://bucket/serving"
    with pytest.raises(MonitorError, match=r"`serving_dir` must be a folder of this machine. Received: 's3://bucket/s"):
        _ = loaded.serving_path
    assert config.load(Cifar10Config, None, [f"root={tmp_path}"]).serving == f"{tmp_path}/serving"
