"""The images of the embedded sample, ways to change them, and a made-up classifier of them."""

import gzip
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
CLASSES = 4
FILES = ("data_batch_1", "test_batch")


def scores(images):
    """Probabilities `float32[N, CLASSES]` of a made-up classifier that looks at brightness, colour and detail."""
    pixels = images.astype(np.float32) / 255
    looks = [pixels.mean((1, 2, 3)), pixels[..., 0].mean((1, 2)) - pixels[..., 2].mean((1, 2)), pixels.std((1, 2, 3))]
    looks.append(np.abs(np.diff(pixels, axis=1)).mean((1, 2, 3)))
    logits = 3 * (np.stack(looks, 1) - [0.47, 0.03, 0.21, 0.07]) / [0.12, 0.1, 0.06, 0.03]
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    return (exponents / exponents.sum(1, keepdims=True)).astype(np.float32)


def blurred(images):
    """Each pixel the mean of itself and its neighbours."""
    padded = np.pad(images.astype(np.float32), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = sum(padded[:, i : i + 32] for i in range(3))
    return np.rint(sum(rows[:, :, j : j + 32] for j in range(3)) / 9).astype(np.uint8)


def brightened(images, by=40):
    return np.clip(images.astype(np.int16) + by, 0, 255).astype(np.uint8)


def shuffled():
    """All images of the sample, `uint8[6000, 32, 32, 3]`, in an order that is as good as drawn."""
    folder = ROOT / "data" / "cifar10_sample"
    content = b"".join(gzip.decompress((folder / f"{name}.bin.gz").read_bytes()) for name in FILES)
    records = np.frombuffer(content, np.uint8).reshape(-1, 3073)[:, 1:]
    images = records.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images[np.random.default_rng(17).permutation(len(images))])
