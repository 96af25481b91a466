"""The Beam part: files of examples in; serialised rows and one tally out."""

import os
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import apache_beam as beam
from apache_beam.utils import shared

from ..common.artifacts.record_parts import Given
from ..common.beam.bundles import at_the_end
from ..common.beam.records import SpreadRecords, records_of
from ..common.errors import MonitorError
from ..common.model_spec import ModelSpec
from ..common.row_encoding import serialised
from ..served_model.asking import LARGEST_BATCH, LARGEST_BYTES, Asker
from ..served_model.saved_model import SavedModel
from .held_out import HeldOut, read_held_out
from .scoring import score
from .tally import Tally, merged

ROWS = "rows"
TALLY = "tally"
_Batch: TypeAlias = list[HeldOut]


class ModelHandle:
    """A model that each worker loads once, however many threads and bundles it has.

    Attributes:
      spec: the model's.

    """

    def __init__(self, path: str, spec: ModelSpec) -> None:
        self.spec = spec
        self._path = path
        self._record = spec.to_json()
        self._shared = shared.Shared()

    def acquire(self) -> Asker:
        """The model, ready to be asked. Raises `MonitorError` if it cannot be loaded or does not fit the spec."""
        asker: Asker = self._shared.acquire(self._load)
        return asker

    def _load(self) -> Asker:
        signatures = self.spec.signatures
        return Asker(SavedModel(self._path).signature(signatures.examples or signatures.serve), self.spec)


class ScoreExamples(beam.PTransform):
    """Paths of the files of a split -> `ROWS`, serialised tf.Examples in no particular order, and `TALLY`, one `Tally`.

    Args:
      handle: the model.
      logged: whether the examples are canonical rows already.
      alone: whether all runs in one process.

    """

    def __init__(self, handle: ModelHandle, *, logged: bool, alone: bool = False) -> None:
        super().__init__()
        self._handle = handle
        self._logged = logged
        self._alone = alone

    def expand(self, paths: beam.PCollection) -> Any:
        scored = (
            paths
            | "Records" >> SpreadRecords(alone=self._alone)
            | "Score" >> beam.ParDo(_ScorePart(self._handle, logged=self._logged)).with_outputs(TALLY, main=ROWS)
        )
        return {ROWS: scored[ROWS], TALLY: scored[TALLY] | "Merge" >> beam.CombineGlobally(merged)}


@beam.typehints.with_output_types(bytes)
class _ScorePart(beam.DoFn):
    """Part of a TFRecord file -> its rows; the tally comes once a bundle."""

    def __init__(self, handle: ModelHandle, *, logged: bool) -> None:
        self._handle = handle
        self._logged = logged

    def setup(self) -> None:
        self._asker = self._handle.acquire()

    def start_bundle(self) -> None:
        self._tally = Tally()

    def finish_bundle(self) -> Iterator[Any]:
        yield beam.pvalue.TaggedOutput(TALLY, at_the_end(self._tally))

    def process(self, given: Given) -> Iterator[bytes]:
        try:
            for batch in _batches(self._read(given)):
                for row in score(batch, self._asker, self._tally):
                    yield serialised(row)
        except MonitorError as error:  # said by the executor, not by Beam: see `Tally.failure`
            self._tally.merge(Tally(failure=str(error)))

    def _read(self, given: Given) -> Iterator[HeldOut]:
        spec = self._handle.spec.rows if self._logged else self._handle.spec
        for record in records_of(given, strict=True):
            made_id = f"{os.path.basename(given.path)}:{record.number}"
            yield self._askable(read_held_out(record.data, spec, made_id, logged=self._logged))

    def _askable(self, example: HeldOut) -> HeldOut:
        """A logged row as an Example of the model's own, where the model takes Examples: its names are others."""
        if not (self._logged and self._asker.takes_examples and example.image is not None):
            return example
        return example.with_record(serialised({self._handle.spec.image.feature: example.image}))


def _batches(examples: Iterable[HeldOut]) -> Iterator[_Batch]:
    batch: _Batch = []
    size = 0
    for example in examples:
        batch.append(example)
        size += len(example.image or b"")
        if len(batch) == LARGEST_BATCH or size >= LARGEST_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
