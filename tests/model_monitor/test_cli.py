"""The command line's errors: one sentence on stderr, exit code 1, no traceback."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model_monitor import cli
from pipelines.cifar10 import dataset
from tests.support.printed import words
from tests.support.warm.starting import warm

pytestmark = pytest.mark.prints

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "--dataset", "sampel"], "did you mean 'sample'?"),
        (["train", "--set", "trainer.epoch=1"], "did you mean 'epochs'?"),
        (["train", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["train", "--dataset", "/nowhere"], "'/nowhere'"),
        (["train", "--serving-logs", "/nowhere"], "`serving_logs` must be a folder of serving logs"),
        (["monitor"], "`serving_dir` must hold a pushed version"),
        (["monitor", "--labels", "/nowhere"], "`--labels` must be a file"),
        (["monitor", "--set", "monitor.windowsize=5"], "did you mean 'window_size'?"),
        (["replay", "--logs", "logs", "--shift", "gaussian_blurr"], "did you mean 'gaussian_blur'?"),
    ],
)
def test_a_mistake_is_said_before_anything_runs(arguments, expected, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert expected in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["trian"], ["train", "--what"]])
def test_usage_errors_are_not_mistaken_for_a_blocked_push(arguments, capfd):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 1
    assert "usage: model-monitor" in capfd.readouterr().err


def test_broken_data_stops_the_run_with_file_offset_and_log(tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("data_batch_1.bin", "test_batch.bin"):
        (data / name).write_bytes(gzip.decompress((dataset.SAMPLE / f"{name}.gz").read_bytes())[: 3073 * 20])
    broken = bytearray((data / "data_batch_1.bin").read_bytes())
    broken[3073 * 7] = 17  # the label of the eighth record
    (data / "data_batch_1.bin").write_bytes(broken)
    done = warm().call("model-monitor", "train", "--dataset", str(data), "--set", f"root={tmp_path}/runs")
    assert done.returncode == 1
    said = words(done.stdout + done.stderr)
    assert "error: Cifar10ExampleGen failed" in said
    for part in ("data_batch_1.bin", str(3073 * 7), "17", "Log: "):
        assert part in said
    assert "Traceback" not in said
    assert not (tmp_path / "runs" / "serving").exists()


def test_whoever_reads_what_is_printed_may_go():
    code = """
import sys
from model_monitor import cli
from model_monitor.commands import why
why.run = lambda options: print("x" * 100_000) or 0
sys.exit(cli.main(["why"]))
"""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=REPOSITORY,
            stdout=nobody,
            stderr=subprocess.PIPE,
            check=False,
            timeout=120,
        )
    assert (done.returncode, done.stderr) == (1, b"")
