"""The files that a pipeline writes become a split whole, in files of a bounded size, or not at all."""

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from components.common.artifacts.tfrecord import read_records
from components.common.beam.shard_writer import KeepWritten, ShardWriter
from components.common.beam.shards import KeepRows, WriteShards, shards_of
from pipelines.config import LOCAL_BEAM_ARGS

ROWS = [f"{number}".encode() * 100 for number in range(500)]


def written(folder):
    """The rows of a split, sorted, file by file."""
    rows = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            rows[path.name] = [record.data for record in read_records(file, strict=True)]
    return rows


@pytest.mark.parametrize("by_beam", [True, False])
def test_a_split_is_written_in_files_of_a_bounded_size_and_replaces_what_was_there(tmp_path, monkeypatch, by_beam):
    monkeypatch.setattr("components.common.beam.shard_writer.SHARD_BYTES", 30_000)
    old = tmp_path / "Split-a"
    old.mkdir()
    (old / "data_tfrecord-00099-of-00100.gz").write_bytes(b"of a run before")
    (tmp_path / ".writing-0123").mkdir()  # of a run that was killed
    with shards_of(str(tmp_path), ["a"]) as shards:
        if by_beam:
            with beam.Pipeline(options=PipelineOptions(list(LOCAL_BEAM_ARGS))) as pipeline:
                _ = pipeline | beam.Create(ROWS) | WriteShards(shards["a"])
        else:
            shards["a"].write_here(ROWS)
        Path(shards["a"].scratch, "of-a-worker-that-was-killed.gz").write_bytes(b"half")
        assert len(list(old.iterdir())) == 1
    files = written(old)
    assert sorted(row for rows in files.values() for row in rows) == sorted(ROWS)
    assert list(files) == [f"data_tfrecord-{n:05d}-of-{len(files):05d}.gz" for n in range(len(files))]
    assert len(files) >= 5
    assert max(sum(map(len, rows)) for rows in files.values()) < 30_000 + len(ROWS[-1])
    assert [path.name for path in tmp_path.iterdir()] == ["Split-a"]


def test_a_split_without_rows_has_an_empty_file(tmp_path):
    with shards_of(str(tmp_path), ["a"]) as shards, beam.Pipeline(options=PipelineOptions(list(LOCAL_BEAM_ARGS))) as p:
        _ = p | beam.Create([]) | WriteShards(shards["a"])
    assert written(tmp_path / "Split-a") == {"data_tfrecord-00000-of-00001.gz": []}


def test_a_pipeline_that_fails_leaves_what_was_there(tmp_path):
    def fail(row):
        raise ValueError(row)

    with shards_of(str(tmp_path), ["a"]) as shards:
        shards["a"].write_here(ROWS)
    before = written(tmp_path / "Split-a")
    options = PipelineOptions(list(LOCAL_BEAM_ARGS))
    with (
        pytest.raises(RuntimeError, match="ValueError"),
        shards_of(str(tmp_path), ["a"]) as shards,
        beam.Pipeline(options=options) as pipeline,
    ):
        _ = pipeline | beam.Create(ROWS) | beam.Map(fail) | WriteShards(shards["a"])
    assert written(tmp_path / "Split-a") == before
    assert [path.name for path in tmp_path.iterdir()] == ["Split-a"]


def kept_of(folder, *bundles, keep):
    """The rows of a split of which each bundle was written ahead, and then those kept of which `keep` is true."""
    with shards_of(str(folder), ["a"]) as shards:
        files, places = [], []
        for rows in bundles:
            with ShardWriter(shards["a"].scratch) as writer:
                written_ahead = [(writer.write(row), row) for row in rows]
            files += [(name, -count) for name, count in writer.counts.items()]
            places += [place for place, row in written_ahead if keep(row)]
        with beam.Pipeline(options=PipelineOptions(list(LOCAL_BEAM_ARGS))) as pipeline:
            counts, wanted = (
                pipeline | name >> beam.Create(given).with_output_types(tuple[str, int])
                for name, given in (("Files", files), ("Places", places))
            )
            _ = (counts, wanted) | KeepRows(shards["a"])
    return written(folder / "Split-a"), len(files)


def test_rows_that_were_written_ahead_and_are_all_kept_stay_in_their_files(tmp_path, monkeypatch):
    monkeypatch.setattr("components.common.beam.shard_writer.SHARD_BYTES", 30_000)
    files, ahead = kept_of(tmp_path, ROWS[:300], ROWS[300:], keep=lambda _: True)
    assert len(files) == ahead >= 5
    assert sorted(row for rows in files.values() for row in rows) == sorted(ROWS)
    assert max(sum(map(len, rows)) for rows in files.values()) < 30_000 + len(ROWS[-1])


@pytest.mark.parametrize("tried", [3, 50])  # rows wait until so many have come, of more files than one
@pytest.mark.parametrize("kept", [ROWS[::7], ROWS[:1], ROWS[40:], []])
def test_of_rows_that_were_written_ahead_those_that_count_are_the_split(tmp_path, monkeypatch, kept, tried):
    monkeypatch.setattr("components.common.beam.shard_writer.SHARD_BYTES", 5_000)
    monkeypatch.setattr("components.common.beam.shard_writer._TRIED", tried)
    files, _ = kept_of(tmp_path, ROWS[:300], [], ROWS[300:], keep=set(kept).__contains__)
    assert sorted(row for rows in files.values() for row in rows) == sorted(kept)
    assert [path.name for path in tmp_path.iterdir()] == ["Split-a"]


def test_a_file_of_which_nobody_says_how_many_rows_it_has_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"1\.gz, it must be told how many rows it has"):
        list(KeepWritten(str(tmp_path)).process(("1.gz", [0, 1, 2])))
