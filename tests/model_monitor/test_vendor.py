"""`model-monitor vendor`: the copy works under its name, without the original."""

import pytest

from model_monitor import cli
from model_monitor.commands import vendor
from tests.support.warm.starting import warm

CONFIG = """# thresholds
metrics_specs {
  metrics {
    class_name: "WorstClassAccuracy"
    module: "components.classification_metrics.metrics"
  }
  metrics { class_name: "Mine" module: "mycomponents.metrics" }
}
"""
# The original is not to be found: what the copy imports is the copy.
CHECK = """
import importlib, pkgutil, sys

OURS = ("components", "pipelines", "model_monitor")

class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in OURS:
            raise ModuleNotFoundError(name)

for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
    del sys.modules[name]
sys.meta_path.insert(0, Gone())
package = importlib.import_module("acme.monitor")
for found in pkgutil.walk_packages(package.__path__, "acme.monitor."):
    importlib.import_module(found.name)
node = package.BaselineImporter(bundle_uri="/serving/1")
print(type(node).__module__, package.ServingLogWriter.__module__)
print(importlib.import_module("acme.monitor.classification_metrics.metrics").__name__)
"""


def test_the_copy_works_without_the_original(tmp_path):
    assert cli.main(["vendor", "--as", "acme.monitor", str(tmp_path)]) == 0
    done = warm().call("python", "-c", CHECK, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "acme.monitor.baseline_importer.component",
        "acme.monitor.serving_log_writer.writer",
        "acme.monitor.classification_metrics.metrics",
    ]


def test_eval_configs_get_the_new_module_names_and_keep_the_rest(tmp_path, capsys):
    config, other = tmp_path / "schemas" / "eval_config.pbtxt", tmp_path / "schema.pbtxt"
    config.parent.mkdir()
    config.write_text(CONFIG)
    other.write_text('feature { name: "components.x" }\n')
    assert cli.main(["vendor", "--as", "acme_monitor", str(tmp_path)]) == 0
    assert config.read_text() == CONFIG.replace('"components.', '"acme_monitor.')
    assert other.read_text() == 'feature { name: "components.x" }\n'
    assert str(config) in [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_only_the_files_that_are_named_are_rewritten(tmp_path):
    named, other = tmp_path / "named.pbtxt", tmp_path / "other.pbtxt"
    for file in (named, other):
        file.write_text(CONFIG)
    assert cli.main(["vendor", "--as", "acme_monitor", str(tmp_path), "--eval-config", str(named)]) == 0
    assert "acme_monitor." in named.read_text()
    assert other.read_text() == CONFIG


@pytest.mark.parametrize("name", ["components", "my-monitor", "acme.", "class", ""])
def test_a_name_that_cannot_be_imported_is_refused(name, tmp_path, capsys):
    assert cli.main(["vendor", "--as", name, str(tmp_path)]) == 1
    assert "`--as` must be the name of another Python package" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_left_alone(tmp_path, capsys):
    (tmp_path / "acme_monitor").mkdir()
    (tmp_path / "eval_config.pbtxt").write_text(CONFIG)
    assert cli.main(["vendor", "--as", "acme_monitor", str(tmp_path)]) == 1
    assert "be the name of nothing that is there" in capsys.readouterr().err
    assert (tmp_path / "eval_config.pbtxt").read_text() == CONFIG


def test_nothing_is_copied_when_an_eval_config_cannot_be_read(tmp_path, capsys):
    (tmp_path / "broken.pbtxt").write_bytes(b"\xff\xfe\x00")
    assert cli.main(["vendor", "--as", "acme_monitor", str(tmp_path)]) == 1
    assert "broken.pbtxt" in capsys.readouterr().err
    assert not (tmp_path / "acme_monitor").exists()


def test_the_module_of_the_shipped_metrics_is_what_is_rewritten():
    assert vendor._MODULE.sub(r"\g<1>new", CONFIG).count('"new.classification_metrics.metrics"') == 1
