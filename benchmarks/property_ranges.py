"""Measures what CIFAR-10 looks like and prints the bounds of schemas/cifar10/schema.pbtxt.

    python -m benchmarks.property_ranges DIR          # a table: minimum, quantiles and maximum of every property
    python -m benchmarks.property_ranges DIR --schema # the schema's features, to paste

DIR holds CIFAR-10 binary files (*.bin or *.bin.gz); all of them are read. The bounds of the schema are those of the
full data set (`model-monitor data fetch`), all 60,000 images.
"""

import argparse
import gzip
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.image_statistics_gen import image_properties
from components.image_statistics_gen.property_edges import ANCHORS

RECORD = 3073  # a label byte, then red, green and blue planes of 32 x 32
QUANTILES = (0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1)
MARGIN = 0.1  # of the range seen
FEATURE = """feature {{
  name: "image_{name}"
  type: FLOAT
  lifecycle_stage: VALIDATION_DERIVED
  presence {{ min_fraction: 1.0 min_count: 1 }}
  value_count {{ min: 1 max: 1 }}
  float_domain {{ min: {low} max: {high} }}
}}"""


def read_images(folder: Path) -> npt.NDArray[np.uint8]:
    """Every image of the folder's CIFAR-10 files, `uint8[N, 32, 32, 3]`."""
    paths = sorted([*folder.glob("*.bin"), *folder.glob("*.bin.gz")])
    if not paths:
        raise SystemExit(f"{folder} must hold CIFAR-10 binary files, *.bin or *.bin.gz. Found none.")
    contents = [gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in paths]
    records = np.frombuffer(b"".join(contents), np.uint8).reshape(-1, RECORD)
    return np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def bounds(name: str, values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """What the schema allows: a tenth of the range more on either side, but at most halfway to what is possible.

    Halfway, so that what cannot be told from broken, a black, white or constant image, stays out.
    """
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * (high - low)
    lowest, highest = ANCHORS[name][0], ANCHORS[name][-1]
    return (
        math.floor((low - min(margin, (low - lowest) / 2)) * 1e4) / 1e4,
        math.ceil((high + min(margin, (highest - high) / 2)) * 1e4) / 1e4,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--schema", action="store_true", help="print the schema's features instead of the table")
    arguments = parser.parse_args()
    images = read_images(arguments.folder)
    found = image_properties.compute(images)
    names = image_properties.property_names(images.shape[3])
    if not arguments.schema:
        print(f"{len(images):,} images\n{'':18}", *(f"{100 * q:>8g}%" for q in QUANTILES))
    for name in names:
        if arguments.schema:
            low, high = bounds(name, found[name])
            print(FEATURE.format(name=name, low=low, high=high))
        else:
            print(f"{name:18}", *(f"{value:9.4f}" for value in np.quantile(found[name], QUANTILES)))


if __name__ == "__main__":
    main()
