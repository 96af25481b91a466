"""Which files `--examples` names for `init`, `replay` and `adopt`."""

import logging
import os

import pytest

from components.common.artifacts.tfrecord import frame
from components.common.errors import MonitorError
from model_monitor.onboarding.described import files_of, read_examples


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "part-0").write_bytes(frame(b""))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "part-1").write_bytes(frame(b""))
    (tmp_path / "part-1").symlink_to("elsewhere/part-1")
    for name in ("manifest.json", "part-0.crc"):
        (tmp_path / name).write_bytes(b"{}")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def test_what_lies_beside_is_left_out_and_told(folder, caplog):
    with caplog.at_level(logging.WARNING):
        assert [path.name for path in files_of(f"{folder}/*")] == ["part-0", "part-1"]
    assert "4 files are left out" in caplog.text
    assert f"{folder}/manifest.json: a side file; {folder}/part-0.crc: a side file" in caplog.text
    assert len(read_examples(f"{folder}/*", 10).records) == 2


def test_where_nothing_is_left_that_is_said(folder):
    with pytest.raises(MonitorError, match=r"must name TFRecord files.*left out: .*pipe: a named pipe"):
        files_of(f"{folder}/pi*")


def test_a_file_of_another_format_is_named(folder):
    (folder / "part-2").write_bytes(b"PAR1" + bytes(50))
    with pytest.raises(MonitorError, match=r"part-2 must be a whole TFRecord file.*it looks like a Parquet file"):
        read_examples(f"{folder}/part-2", 10)
