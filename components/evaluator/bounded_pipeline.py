"""A pipeline that TFMA runs in one process with no more images in memory than one batch.

Beam makes one bundle of all that is read there, and TFMA holds the labels of up to 1,000 examples a slice in it. Two
things would grow with the images, then (docs/traps.md):

- The labels are views into the columns that tfx_bsl has decoded, and each keeps its whole batch, images and all.
- Beam draws the sizes of batches by chance, and oneDNN keeps what it has prepared for each size that it has seen.
"""

from collections.abc import Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma

from ..served_model.asking import LARGEST_BATCH, LARGEST_BYTES

_FEATURES_STAGE = "ExtractFeatures"  # TFMA's, of batches


class BoundedPipeline(beam.Pipeline):
    """Beam's, in which batches of records have one size, and what TFMA reads of them is its own.

    A batch has `LARGEST_BATCH` records, fewer where these have more than `LARGEST_BYTES`, and the last the remainder.
    """

    def apply(self, transform: Any, pvalueish: Any = None, label: str | None = None) -> Any:
        """Applies a transform as Beam does; batches of records and TFMA's features as above."""
        if type(transform) is beam.BatchElements and pvalueish.element_type is bytes:
            transform = _Batches()
        applied = super().apply(transform, pvalueish, label)
        if label == _FEATURES_STAGE and isinstance(transform, beam.ParDo):
            return applied | "OwnFeatures" >> beam.Map(_with_own_features)
        return applied


class _Batches(beam.BatchElements):
    def __init__(self) -> None:
        super().__init__(min_batch_size=LARGEST_BYTES, max_batch_size=LARGEST_BYTES, element_size_fn=_size)


def _size(record: bytes) -> int:
    return min(max(len(record), LARGEST_BYTES // LARGEST_BATCH), LARGEST_BYTES)


def _with_own_features(extracts: tfma.Extracts) -> tfma.Extracts:
    return {**extracts, tfma.FEATURES_KEY: _own(extracts[tfma.FEATURES_KEY])}


def _own(values: Any) -> Any:
    """The same arrays, in memory of their own; of ragged and sparse tensors each of their arrays."""
    if isinstance(values, np.ndarray):
        return values if values.flags.owndata else values.copy()
    if isinstance(values, Mapping):
        return {name: _own(value) for name, value in values.items()}
    if isinstance(values, tuple) and hasattr(values, "_make"):
        return values._make(map(_own, values))
    return [_own(value) for value in values] if isinstance(values, list) else values
