"""The examples of windows as one data set: every file of each, none lost for having the name of another."""

from pathlib import Path

import pytest
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

from components import ExampleJoiner
from components.common.errors import MonitorError
from components.example_joiner.executor import Executor


def examples(folder: Path, files: dict[str, bytes], splits: str = '["serving"]'):
    made = standard_artifacts.Examples()
    made.uri, made.split_names = str(folder), splits
    (folder / "Split-serving").mkdir(parents=True)
    for name, content in files.items():
        (folder / "Split-serving" / name).write_bytes(content)
    return made


@pytest.fixture
def joined(tmp_path):
    """(windows, split) -> the artifact that they were joined to."""

    def join(windows, split="eval"):
        made = standard_artifacts.Examples()
        made.uri = str(tmp_path / f"joined-{len(list(tmp_path.iterdir()))}")
        Executor().Do({"windows": windows}, {"examples": [made]}, {"split": split})
        return made

    return join


def test_files_of_the_same_name_are_all_there_in_the_order_of_the_windows(tmp_path, joined):
    first = examples(tmp_path / "1", {"a-00000.gz": b"one", "b-00000.gz": b"two"})
    second = examples(tmp_path / "2", {"a-00000.gz": b"three"})
    made = joined([first, second])
    files = sorted((Path(made.uri) / "Split-eval").iterdir())
    assert [path.read_bytes() for path in files] == [b"one", b"two", b"three"]
    assert all(path.name.endswith("-00000.gz") for path in files)  # what tells readers that they are gzipped
    assert made.split_names == '["eval"]'
    assert examples_utils.get_payload_format(made) == example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE


def test_what_cannot_be_joined_is_said(tmp_path, joined):
    whole = examples(tmp_path / "1", {"a.gz": b"one"})
    with pytest.raises(MonitorError, match=r"2/Split-serving must hold the examples of a window\. Received: no file"):
        joined([whole, examples(tmp_path / "2", {})])
    with pytest.raises(MonitorError, match=r"3` must have one split\. Received: \['serving', 'eval'\]"):
        joined([whole, examples(tmp_path / "3", {"a.gz": b"x"}, '["serving", "eval"]')])
    other = examples(tmp_path / "4", {"a.gz": b"x"})
    examples_utils.set_payload_format(other, example_gen_pb2.PayloadFormat.FORMAT_PROTO)
    with pytest.raises(MonitorError, match="`windows` must be of one payload format"):
        joined([whole, other])


def test_a_split_has_a_name():
    with pytest.raises(MonitorError, match="`split` must be a split's name"):
        ExampleJoiner(ExampleJoiner.SPEC_CLASS.INPUTS["windows"], split="")
