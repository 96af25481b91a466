"""Image files that are none, by what is wrong with them, and two that are whole."""

import io

import numpy as np
from PIL import Image

_RNG = np.random.default_rng(3)


def encoded(array: np.ndarray, file_type: str = "PNG", **options: object) -> bytes:
    """Pixels [H, W, C] or [H, W] as a file."""
    stream = io.BytesIO()
    Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array).save(
        stream, file_type, **options
    )
    return stream.getvalue()


PNG = encoded(_RNG.integers(0, 256, (16, 16, 3), np.uint8))
JPEG = encoded(_RNG.integers(0, 256, (16, 16, 3), np.uint8), "JPEG")
DAMAGED = {
    "empty": b"",
    "text": b"not an image",
    "png cut short": PNG[: len(PNG) // 2],
    "jpeg cut short": JPEG[: len(JPEG) // 2],
    "png header alone": PNG[:8],
    "png with flipped bytes": PNG[:60] + bytes(b ^ 255 for b in PNG[60:90]) + PNG[90:],
    "png with a broken chunk": PNG[:33] + b"\0" * 20 + PNG[53:],
    "raw pixels": bytes(3072),
    "another file type": encoded(_RNG.integers(0, 256, (4, 4, 3), np.uint8), "BMP"),
}
