"""The script that made the embedded sample, on a small stand-in for the full set."""

import gzip
import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "data" / "make_sample.py"
RECORD = 3073
NAMES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


def make_full_set(folder: Path, per_class: int) -> Path:
    """Six files whose records say where they are from: label, then file name and number, then zeros."""
    folder.mkdir()
    for name in NAMES:
        records = [bytes([i % 10]) + f"{name}:{i}".encode().ljust(RECORD - 1, b"\0") for i in range(10 * per_class)]
        (folder / name).write_bytes(b"".join(records))
    return folder


def run(full: Path, output: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(full), str(output)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def records_of(path: Path) -> list[bytes]:
    data = gzip.decompress(path.read_bytes())
    return [data[start : start + RECORD] for start in range(0, len(data), RECORD)]


def test_sample_is_balanced_drawn_from_all_files_shuffled_and_repeatable(tmp_path: Path) -> None:
    full = make_full_set(tmp_path / "full", per_class=320)
    assert run(full, tmp_path / "a").returncode == 0
    assert run(full, tmp_path / "b").returncode == 0
    for name, per_class in (("data_batch_1.bin.gz", 400), ("test_batch.bin.gz", 200), ("serving_batch.bin.gz", 100)):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        records = records_of(tmp_path / "a" / name)
        assert len(set(records)) == len(records)
        assert Counter(record[0] for record in records) == dict.fromkeys(range(10), per_class)
        assert len({record[0] for record in records[:40]}) >= 5  # not class by class
    train = records_of(tmp_path / "a" / "data_batch_1.bin.gz")
    assert {record[1:].split(b":")[0].decode() for record in train} == set(NAMES[:5])
    test, serving = (set(records_of(tmp_path / "a" / name)) for name in ("test_batch.bin.gz", "serving_batch.bin.gz"))
    assert not test & serving  # what stands for serving is in no evaluation
    first = records_of(tmp_path / "a" / "test_batch.bin.gz")[0][1:].rstrip(b"\0").decode().rpartition(":")[2]
    keys = {hashlib.sha256(f"20090408:test_batch.bin:{i}".encode()).digest(): str(i) for i in range(3200)}
    assert first == min(keys.items())[1]  # the record with the lowest key of all is taken, and comes first


def test_too_few_records_and_broken_files_are_errors(tmp_path: Path) -> None:
    few = run(make_full_set(tmp_path / "few", per_class=50), tmp_path / "a")
    assert few.returncode == 1
    assert "400 records a class are needed" in few.stderr
    broken = make_full_set(tmp_path / "broken", per_class=320)
    (broken / "data_batch_3.bin").write_bytes(b"\0" * (RECORD + 1))
    result = run(broken, tmp_path / "b")
    assert result.returncode == 1
    assert "data_batch_3.bin: 3074 bytes is not a whole number of 3073-byte records" in result.stderr
