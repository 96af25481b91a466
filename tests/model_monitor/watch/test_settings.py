"""Several models of one configuration."""

import pytest

from components.common.errors import MonitorError
from model_monitor.watch.settings import WatchConfig, models
from pipelines.config import load

FILE = """
root: runs
monitor: {window_size: 800, false_alarm_rate: 0.02}
watch: {window_minutes: 15}
models:
  signs: {serving_logs: /logs/signs}
  fruit: {serving_logs: /logs/fruit, root: elsewhere, monitor: {window_size: 500}, watch: {window_examples: 50}}
"""


def of(tmp_path, text: str) -> list[WatchConfig]:
    (tmp_path / "watch.yaml").write_text(text)
    return models(load(WatchConfig, tmp_path / "watch.yaml"))


def test_each_model_has_the_common_settings_but_for_its_own(tmp_path):
    signs, fruit = of(tmp_path, FILE)
    assert (signs.name, signs.root, signs.serving_logs, signs.window_examples) == (
        "signs", "runs/signs", "/logs/signs", 800
    )  # fmt: skip
    assert (fruit.name, fruit.root, fruit.window_examples, fruit.watch.window_minutes) == ("fruit", "elsewhere", 50, 15)
    assert (fruit.monitor.window_size, fruit.monitor.false_alarm_rate) == (500, 0.02)


def test_without_models_there_is_the_one(tmp_path):
    (one,) = of(tmp_path, "root: runs")
    assert (one.name, one.root, one.window_examples) == ("monitoring", "runs", 1000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: {a: {rot: x}}", r"`models.a` of the configuration: there is no key `rot` \(did you mean 'root'\?\)"),
        ("models: {a: {watch: {attempts: 0}}}", r"`models.a` of the configuration: `watch.attempts` must"),
        ("models: {a: {models: {}, root: x}, b: {root: x}}", "`models` must have a root each"),
        ("models: {A_B: {}}", "models.A_B"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    with pytest.raises(MonitorError, match=message):
        of(tmp_path, text)
