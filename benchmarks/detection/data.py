"""The data step: the held-out pool, shifted in every way and measured, in the cache."""

import json
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.errors import require
from model_monitor.traffic import shifts

from . import image_shifts, suites
from .pool import Pool, held_out, trainer_settings
from .table import measure

# Tables of corruptions hold the first rows of the pool alone: windows of up to 2,000 are drawn from them.
CORRUPTED_ROWS = 6000
_LABELS = "labels.npy"
_MADE_OF = "made_of.json"


def table_path(cache: Path, variant: str) -> Path:
    return cache / "features" / f"{variant}.npz"


def read_labels(cache: Path) -> npt.NDArray[np.int64]:
    """The labels of the pool, int64 [N]."""
    path = cache / _LABELS
    require(path.is_file(), "cache", "have been filled by `python -m benchmarks.detection data`", str(cache))
    return np.asarray(np.load(path))


def fill(cache: Path, folder: Path, dataset: str, model: Path, variants: Iterable[str] = ()) -> None:
    """Writes the tables that the cache does not have yet.

    Args:
      cache: the folder of tables and results.
      folder: of CIFAR-10's binary files.
      dataset: "full" or "sample", what the model was trained on.
      model: the folder of a pushed version.
      variants: the tables that are wanted; all where empty.

    Raises:
      MonitorError: the cache was filled from other data or another model, or one of them is not there.

    """
    from .scoring import load_model, untrained_encoder  # noqa: PLC0415 - TensorFlow: only this step needs it

    _check_origin(cache, folder, model)
    pool = held_out(folder, trainer_settings(dataset))
    np.save(cache / _LABELS, pool.labels)
    score, encode = load_model(model), untrained_encoder()
    for variant in variants or all_variants():
        path = table_path(cache, variant)
        if path.exists():
            continue
        start = time.perf_counter()
        images = shifted(variant, pool)
        measure(images, *score(images), encode(images)).write(path)
        print(f"{variant}: {len(images):,} images, {time.perf_counter() - start:.1f} s", flush=True)


def _check_origin(cache: Path, folder: Path, model: Path) -> None:
    """Tables of two models in one cache would be a shift nobody asked for."""
    cache.mkdir(parents=True, exist_ok=True)
    origin = {"data": str(folder.resolve()), "model": str(model.resolve())}
    path = cache / _MADE_OF
    if not path.exists():
        path.write_text(json.dumps(origin))
    require(json.loads(path.read_text()) == origin, "cache", f"be of {origin} alone", path.read_text())


def all_variants() -> Iterable[str]:
    """Every table that the suites need, the most needed first."""
    corruptions = [shift.variant for shift in suites.severity_shifts() if shift.variant != suites.CLEAN]
    nine = [suites.variant(name, suites.NINE_SEVERITY) for name in suites.NINE]
    return dict.fromkeys([suites.CLEAN, *image_shifts.NAMES, *nine, *corruptions])


def shifted(variant: str, pool: Pool) -> npt.NDArray[np.uint8]:
    """The images of a variant: all of the pool, of corruptions the first `CORRUPTED_ROWS`."""
    if variant == suites.CLEAN:
        return pool.images
    if variant in image_shifts.NAMES:
        return image_shifts.change(variant, pool.images, seed=1)
    name, _, severity = variant.rpartition("-")
    images, labels = pool.images[:CORRUPTED_ROWS], pool.labels[:CORRUPTED_ROWS]
    return np.asarray(shifts.apply(name, images, labels, severity=int(severity), seed=1).images)
