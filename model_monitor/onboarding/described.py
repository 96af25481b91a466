"""Plain descriptions of what a person already has: a SavedModel's signatures and some tf.Examples. No TensorFlow."""

import glob
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from components.common import image_files
from components.common.artifacts.record_files import choose, open_regular
from components.common.artifacts.tf_example import Values, parse_example
from components.common.artifacts.tfrecord import read_records
from components.common.class_names import whole_number
from components.common.errors import require
from components.served_model.tensors import STRING, TensorInfo

_logger = logging.getLogger(__name__)
_MOST_TOLD = 3  # files that are left out
_MAX_TEXTS = 1_000  # distinct texts that may be names of classes
_FILES = 0.95  # of a feature's values that are image files: some may be damaged
Row: TypeAlias = dict[str, Values]


@dataclass(frozen=True)
class Tensor:
    """An input or output of a signature: what clients call it, its type and its shape."""

    name: str
    info: TensorInfo

    def __str__(self) -> str:
        return f"{self.name} ({self.info})"

    @property
    def dtype(self) -> str:
        return self.info.dtype

    @property
    def shape(self) -> tuple[int | None, ...] | None:
        return self.info.shape

    @property
    def pixels(self) -> tuple[int | None, int | None, int | None] | None:
        """(height, width, channels) of what it takes, None where any will do; None altogether where no images.

        A batch of images is [batch, height, width, channels], [batch, height, width] of grey ones, or all of an image
        in one row, [batch, number].
        """
        if self.dtype in (STRING, "bool") or self.shape is None:
            return None
        channels_first = len(self.shape) == 4 and self.shape[3] is None and self.shape[1] in (1, 3)
        if len(self.shape) == 4 and self.shape[3] in (None, 1, 3) and not channels_first:
            return self.shape[1], self.shape[2], self.shape[3]
        if len(self.shape) == 3:
            return self.shape[1], self.shape[2], 1
        return (None, None, None) if self.flat else None

    @property
    def flat(self) -> int | None:
        """How many numbers an image has, where they come in one row."""
        two = self.dtype not in (STRING, "bool") and self.shape is not None and len(self.shape) == 2
        return self.shape[1] if two and self.shape is not None else None

    @property
    def takes_strings(self) -> bool:
        """Whether it may be a batch of image files or serialised tf.Examples."""
        column = self.shape is not None and len(self.shape) == 2 and self.shape[1] in (None, 1)
        return self.dtype == STRING and (self.shape is None or len(self.shape) == 1 or column)


@dataclass(frozen=True)
class Signature:
    """A function of a SavedModel that servers can call."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def image_input(self) -> Tensor | None:
        """The one input, where it may take images; None where there are more or none does."""
        only = self.inputs[0] if len(self.inputs) == 1 else None
        return only if only is not None and (only.pixels or only.takes_strings) else None


@dataclass(frozen=True)
class Feature:
    """A feature of tf.Examples, as it is in those that were looked at.

    Attributes:
      name: its name.
      rows: Examples that have a value of it.
      single: whether it never has more than one value.
      kind: "bytes", "float" or "int".
      distinct: different values, of those that have one value each.
      whole: smallest and largest number, where all are whole, floating-point ones too; None where they are not.
      texts: the different values, sorted, where each is a line of text; empty where there are too many or none.
      sizes: (height, width) of the image files that it holds; empty where it holds none.
      grey: whether none of them has colours.
      lengths: the different numbers of bytes.

    """

    name: str
    rows: int
    single: bool
    kind: str
    distinct: int
    whole: tuple[int, int] | None = None
    texts: tuple[str, ...] = ()
    sizes: frozenset[tuple[int, int]] = frozenset()
    grey: bool = False
    lengths: frozenset[int] = frozenset()

    @property
    def numbers(self) -> tuple[int, int] | None:
        """Smallest and largest whole number that it holds, as a number or in digits; None where it holds others."""
        if self.whole or not self.texts:
            return self.whole
        written = [whole_number(text) for text in self.texts]
        known = [number for number in written if number is not None]
        return (min(known), max(known)) if len(known) == len(written) else None

    def __str__(self) -> str:
        """In a few words, for behind its name."""
        if self.sizes:
            return f"{self.rows:,} image files of {sizes_in_words(self.sizes)}"
        if self.whole:
            return f"whole numbers {self.whole[0]} to {self.whole[1]}, {self.distinct:,} different"
        if self.texts:
            return f"{self.distinct:,} different texts, such as {self.texts[0]!r}"
        return f"{self.kind}, {self.distinct:,} different"


@dataclass(frozen=True)
class Examples:
    """Some tf.Examples: as records, parsed, and the features that they have, by name."""

    records: tuple[bytes, ...]
    rows: tuple[Row, ...]
    features: Mapping[str, Feature]

    @staticmethod
    def of(records: Sequence[bytes], rows: Sequence[Row]) -> "Examples":
        """Of records and what they hold, parsed."""
        names = sorted({name for row in rows for name in row})
        return Examples(tuple(records), tuple(rows), {name: _feature(name, rows) for name in names})

    def only(self, rows: Sequence[int]) -> "Examples":
        """Those of these rows."""
        return Examples.of([self.records[row] for row in rows], [self.rows[row] for row in rows])

    def column(self, name: str) -> list[bytes | float | int | None]:
        """The first value of a feature, of each Example; None where there is none."""
        columns = (row.get(name) for row in self.rows)
        return [values[0] if values else None for values in columns]


def sizes_in_words(sizes: frozenset[tuple[int, int]]) -> str:
    low, high = min(sizes), max(sizes)
    return f"{low[0]} x {low[1]}" if low == high else f"{low[0]} x {low[1]} to {high[0]} x {high[1]} pixels"


def read_examples(pattern: str, limit: int) -> Examples:
    """The first `limit` tf.Examples of the TFRecord files (plain or gzipped) that a pattern names, described.

    The files take turns, so that files sorted by class give all classes.

    Raises:
      MonitorError: no file has that name, one is damaged, or none holds an Example.

    """
    files = files_of(pattern)
    records = tuple(record for record, _ in zip(_in_turn(files), range(limit), strict=False))
    require(bool(records), "--examples", "name files that hold tf.Examples", [str(file) for file in files[:3]])
    return describe(records)


def files_of(pattern: str) -> list[Path]:
    """The files that a pattern names, in order; what lies beside them is left out, and a warning says so.

    Raises:
      MonitorError: there are none.

    """
    chosen = choose(glob.glob(pattern), links_out=True)
    left_out = {**dict.fromkeys(chosen.side_files, "a side file"), **chosen.refused}
    told = "; ".join(f"{path}: {reason}" for path, reason in list(left_out.items())[:_MOST_TOLD])
    what = [pattern, *([f"left out: {told}"] if told else [])]
    require(bool(chosen.files), "--examples", "name TFRecord files, as in 'held_out/*.tfrecord*'", ", ".join(what))
    if left_out:
        _logger.warning("Of --examples %d files are left out: %s", len(left_out), told)
    return [Path(path) for path in chosen.files]


def describe(records: Sequence[bytes]) -> Examples:
    """Serialised tf.Examples, parsed and described. Raises `MonitorError` where one is none."""
    return Examples.of(records, [parse_example(record) for record in records])


def records_of(file: Path) -> Iterator[bytes]:
    """The records of a TFRecord file. Raises `MonitorError` at the first that is damaged."""
    with open_regular(str(file), links_out=True) as stream:
        for record in read_records(stream, strict=True, source=str(file)):
            yield record.data


def _in_turn(files: Sequence[Path]) -> Iterator[bytes]:
    unread = [records_of(file) for file in files]
    while unread:
        for source in list(unread):
            record = next(source, None)
            if record is None:
                unread.remove(source)
            else:
                yield record


def _feature(name: str, rows: Sequence[Row]) -> Feature:
    lists = [row[name] for row in rows if row.get(name)]
    values = [value for each in lists for value in each]
    single = all(len(each) == 1 for each in lists)
    distinct = len(set(values)) if single else 0
    if not values:
        return Feature(name, 0, single, "bytes", 0)
    if isinstance(values[0], int):
        whole = [value for value in values if isinstance(value, int)]
        return Feature(name, len(lists), single, "int", distinct, whole=(min(whole), max(whole)))
    if isinstance(values[0], float):
        counted = [whole_number(value) for value in values]
        known = [number for number in counted if number is not None]
        reach = (min(known), max(known)) if len(known) == len(counted) else None
        return Feature(name, len(lists), single, "float", distinct, whole=reach)
    return _bytes_feature(name, len(lists), single, [value for value in values if isinstance(value, bytes)])


def _bytes_feature(name: str, rows: int, single: bool, values: list[bytes]) -> Feature:
    headers = [found for found in map(image_files.header, values) if found]
    lengths = frozenset(map(len, values))
    distinct = len(set(values))
    if single and len(headers) >= _FILES * len(values):
        sizes = frozenset((found.height, found.width) for found in headers)
        grey = all(found.grey for found in headers)
        return Feature(name, rows, single, "bytes", distinct, sizes=sizes, grey=grey, lengths=lengths)
    return Feature(name, rows, single, "bytes", distinct, texts=_texts(set(values)), lengths=lengths)


def _texts(values: set[bytes]) -> tuple[str, ...]:
    if len(values) > _MAX_TEXTS:
        return ()
    try:
        texts = sorted(value.decode("utf-8") for value in values)
    except UnicodeDecodeError:
        return ()
    return tuple(texts) if all(text and text.isprintable() for text in texts) else ()
