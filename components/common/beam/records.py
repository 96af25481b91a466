"""How Beam spreads the records of TFRecord files over workers, whatever the size of the files."""

from collections.abc import Iterator
from itertools import islice

import apache_beam as beam

from ..artifacts.record_parts import PART_BYTES, Given, Part, Piece, data_in, parts_of, pieces_of, records_in
from ..artifacts.tfrecord import Record, read_records, whole_records
from .worker_files import open_records


class SpreadRecords(beam.PTransform):
    """Paths of TFRecord files -> parts and pieces of them, which `records_of` reads, spread over the workers.

    A plain file is cut into parts by its headers, and the parts are spread. A gzipped one is one part; a large one is
    unpacked by one worker and its records are spread, a piece at a time. Where all runs in one process that would hold
    the file in memory and help nobody: there `pieces` cuts it when it is read.

    Args:
      alone: whether all runs in one process.
      links_out: whether links may lead out of the folder that they are in.
      most_records: how many are taken of a large gzipped file; None: all.

    """

    def __init__(self, *, alone: bool = False, links_out: bool = True, most_records: int | None = None) -> None:
        super().__init__()
        self._alone = alone
        self._links_out = links_out
        self._most_records = most_records

    def expand(self, paths: beam.PCollection) -> beam.PCollection:
        cut = paths | "Cut" >> beam.FlatMap(cut_file, links_out=self._links_out)
        if not self._alone:
            limits = {"links_out": self._links_out, "most_records": self._most_records}
            cut = cut | "Unpack" >> beam.FlatMap(pieces, **limits)
        return cut | "Spread" >> beam.Reshuffle()


def cut_file(path: str, *, links_out: bool = True) -> Iterator[Part]:
    """The parts of a file; of one that cannot be opened a part that cannot be read, for its reader to say why."""
    try:
        with open_records(path, links_out=links_out) as file:
            yield from parts_of(path, file, PART_BYTES)
    except OSError:
        yield Part(path)


def pieces(given: Given, *, links_out: bool = True, most_records: int | None = None) -> Iterator[Given]:
    """What is given, cut further where it is a large gzipped file."""
    if isinstance(given, Part) and given.packed:
        with open_records(given.path, links_out=links_out) as file:
            yield from pieces_of(given.path, islice(read_records(file), most_records))
    else:
        yield given


def records_of(given: Given, *, strict: bool = False, links_out: bool = True) -> Iterator[Record]:
    """The records of a part or a piece, numbered as in the whole file.

    Raises:
      MonitorError: if `strict`, at the first record that is cut off or whose checksum is wrong.
      OSError: the file cannot be opened or read.

    """
    if isinstance(given, Piece):
        yield from whole_records(given.records, given.path, given.begin) if strict else given.records
        return
    with open_records(given.path, links_out=links_out) as file:
        yield from records_in(given, file, strict=strict)


def data_of(given: Given) -> Iterator[bytes]:
    """The data of the records of a part or a piece, which `records_of` takes four times as long to give.

    Raises:
      MonitorError: at the first record that is cut off or whose checksum is wrong.
      OSError: the file cannot be opened or read.

    """
    if isinstance(given, Piece):
        yield from (record.data for record in whole_records(given.records, given.path, given.begin))
        return
    with open_records(given.path) as file:
        yield from data_in(given, file)
