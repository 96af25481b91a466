"""Everything measured of many images, a row an image, kept in a file so that a trial only has to gather rows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.errors import require
from components.common.two_sample.comparison import Feature
from components.image_statistics_gen import image_properties, prediction_features
from components.image_statistics_gen.prediction_edges import prediction_features as prediction_edges
from components.image_statistics_gen.property_edges import image_features
from pipelines.cifar10.config import default_spec

EMBEDDING_SIZE = 16
CLASSES = 10
PROPERTIES = image_properties.property_names(3)
PREDICTIONS = prediction_features.feature_names(CLASSES, EMBEDDING_SIZE)
_FROZEN = (*image_features(default_spec().image).values(), *prediction_edges(CLASSES, EMBEDDING_SIZE).values())
NAMES = tuple(feature.name for feature in _FROZEN)
SOFTMAX = [NAMES.index(f"prediction_probability_{k:02}") for k in range(CLASSES)]
EMBEDDING = [NAMES.index(f"prediction_embedding_{d:02}") for d in range(EMBEDDING_SIZE)]

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """Rows of images.

    Attributes:
      values: float32 [N, p], the columns `NAMES`: what a FeatureSample holds.
      classes: int64 [N], the predicted class.
      untrained: float32 [N, 32], outputs of an untrained encoder; no columns where they were not computed.

    """

    values: Floats
    classes: Integers
    untrained: Floats

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def softmax(self) -> Floats:
        return self.values[:, SOFTMAX]

    @property
    def looks(self) -> Floats:
        """The image properties."""
        return self.values[:, : len(PROPERTIES)]

    @property
    def embedding(self) -> Floats:
        return self.values[:, EMBEDDING]

    def take(self, rows: Integers) -> "Table":
        return Table(self.values[rows], self.classes[rows], self.untrained[rows])

    def mixed(self, rows: Integers, other: "Table", replaced: npt.NDArray[np.bool_]) -> "Table":
        """`rows` of this table, those that are `replaced` [len(rows)] taken from `other`, which has the same images."""
        kept, taken = self.take(rows), other.take(rows[replaced])
        for own, others in ((kept.values, taken.values), (kept.classes, taken.classes)):
            own[replaced] = others
        kept.untrained[replaced] = taken.untrained
        return kept

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.stem}.part.npz")
        np.savez(part, values=self.values, classes=self.classes, untrained=self.untrained)
        part.rename(path)

    @staticmethod
    def read(path: Path) -> "Table":
        """Raises `MonitorError` where there is no such file or it was made with other features."""
        require(path.is_file(), "cache", "have been filled by `python -m benchmarks.detection data`", str(path))
        with np.load(path) as found:
            table = Table(found["values"], found["classes"], found["untrained"])
        require(table.values.shape[1] == len(NAMES), str(path), f"hold {len(NAMES)} features", table.values.shape)
        return table


def measure(images: npt.NDArray[np.uint8], probabilities: Floats, embedding: Floats, untrained: Floats) -> Table:
    """The table of uint8 [N, 32, 32, 3] images and what the models said of them, by the product's own code."""
    seen = image_properties.compute(images)
    said = prediction_features.compute(probabilities, embedding)
    columns = [seen[name] for name in PROPERTIES] + [said.numbers[name] for name in PREDICTIONS]
    return Table(np.stack(columns, axis=1), said.classes.astype(np.int64), untrained)


def monitored_features() -> list[Feature]:
    """The features of `Table.values` as the two-sample core wants them."""
    return [Feature(feature.name, feature.edges, feature.bins_per_bucket) for feature in _FROZEN]
