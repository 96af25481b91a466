"""The changes of pixels of "Failing Loudly" (Rabanser, Guennemann and Lipton 2019, NeurIPS), anew in NumPy.

Parameters are those of the paper's published code (github.com/steverab/failing-loudly, `shift_applicator.py` and
`data_utils.py`). Images there are floats in 0..1; a served image is bytes, so here the result is rounded to bytes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

NOISE = {"noise_small": 1.0, "noise_medium": 10.0, "noise_large": 100.0}  # standard deviations, in grey levels
_AT_ONCE = 1000


@dataclass(frozen=True)
class Warp:
    """The ranges that each image's own random transformation is drawn from, as Keras's ImageDataGenerator has them.

    Attributes:
      rotation: largest angle, degrees.
      move: largest way along each axis, as a share of the side.
      shear: largest shear, degrees.
      zoom: factors are 1 - zoom to 1 + zoom, each axis its own.
      mirror: whether half of the images are mirrored left to right.
      turn: whether half of the images are turned upside down.

    """

    rotation: float
    move: tuple[float, float]
    shear: float
    zoom: float
    mirror: bool
    turn: bool


WARPS = {
    "image_small": Warp(10, (0.05, 0.05), 0.1, 0.1, mirror=False, turn=False),
    "image_medium": Warp(40, (0.2, 0.2), 0.2, 0.2, mirror=True, turn=False),
    "image_large": Warp(90, (0.4, 0.4), 0.3, 0.4, mirror=True, turn=True),
}
NAMES = (*NOISE, *WARPS)


def change(name: str, images: Images, seed: int) -> Images:
    """Every image of uint8 [N, H, W, 3] changed by `name`, one of `NAMES`."""
    rng = np.random.default_rng(seed)
    parts = [images[start : start + _AT_ONCE] for start in range(0, len(images), _AT_ONCE)]
    if name in NOISE:
        return np.concatenate([_noisy(part, NOISE[name], rng) for part in parts])
    return np.concatenate([_warped(part, WARPS[name], rng) for part in parts])


def _noisy(images: Images, deviation: float, rng: np.random.Generator) -> Images:
    return _bytes(images + rng.normal(0, deviation, images.shape))


def _warped(images: Images, warp: Warp, rng: np.random.Generator) -> Images:
    count, side = len(images), images.shape[1]
    angle = np.radians(rng.uniform(-warp.rotation, warp.rotation, count))
    shear = np.radians(rng.uniform(-warp.shear, warp.shear, count))
    move = rng.uniform(-1, 1, (count, 2)) * np.array(warp.move) * side
    zoom = rng.uniform(1 - warp.zoom, 1 + warp.zoom, (count, 2))
    mirrored = rng.random(count) < 0.5 if warp.mirror else np.zeros(count, np.bool_)
    turned = rng.random(count) < 0.5 if warp.turn else np.zeros(count, np.bool_)
    linear = _matrices(np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle))
    offset = np.einsum("nij,nj->ni", linear, move)
    linear = linear @ _matrices(np.ones(count), -np.sin(shear), np.zeros(count), np.cos(shear))
    linear = linear * zoom[:, None, :]
    changed = _resample(images, linear, offset)
    changed[mirrored] = changed[mirrored][:, :, ::-1]
    changed[turned] = changed[turned][:, ::-1]
    return changed


def _matrices(a: Floats, b: Floats, c: Floats, d: Floats) -> Floats:
    return np.stack([np.stack([a, b], axis=1), np.stack([c, d], axis=1)], axis=1)


def _resample(images: Images, linear: Floats, offset: Floats) -> Images:
    """The value at p, from the centre, is the one at `linear p + offset`: bilinear, the nearest pixel at the border."""
    count, height, width, channels = images.shape
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    grid = np.mgrid[:height, :width].reshape(2, -1) - centre[:, None]
    place = linear @ grid + (offset + centre)[:, :, None]
    y, x = np.clip(place[:, 0], 0, height - 1), np.clip(place[:, 1], 0, width - 1)
    top, left = y.astype(np.int64), x.astype(np.int64)
    down, right = (y - top)[..., None], (x - left)[..., None]
    flat = images.reshape(count, height * width, channels).astype(np.float64)

    def pixels(row: npt.NDArray[np.int64], column: npt.NDArray[np.int64]) -> Floats:
        where = np.minimum(row, height - 1) * width + np.minimum(column, width - 1)
        return np.take_along_axis(flat, where[..., None], axis=1)

    upper = pixels(top, left) * (1 - right) + pixels(top, left + 1) * right
    lower = pixels(top + 1, left) * (1 - right) + pixels(top + 1, left + 1) * right
    return _bytes(upper * (1 - down) + lower * down).reshape(images.shape)


def _bytes(values: Floats) -> Images:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
