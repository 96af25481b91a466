"""Six images of a window as one picture that a message can carry."""

import base64
import io
from pathlib import Path

from PIL import Image

from components.validation_report.page import Picture, Strip

from ..reading.history import History
from ..reading.run_store import open_store
from ..reading.window_images import window_images
from ..reading.window_series import kept_windows

_SIDE, _GAP = 128, 8  # pixels
_BACKGROUND = (255, 255, 255)


def picture_of_run(metadata: Path, run: int) -> bytes | None:
    """A PNG file of the six images of a window; None where there are none.

    Raises:
      MonitorError: the store cannot be read, or there is no such run.

    """
    store = open_store(metadata)
    kept = kept_windows(store).get(run)
    found = window_images(History(store).run(str(run)), kept.record.features if kept else ())
    return None if found.window is None else png_of(found.window)


def png_of(strip: Strip) -> bytes:
    """The images of a strip beside each other, small ones enlarged so that a pixel stays a square."""
    width = len(strip.pictures) * (_SIDE + _GAP) + _GAP
    whole = Image.new("RGB", (width, _SIDE + 2 * _GAP), _BACKGROUND)
    for number, picture in enumerate(strip.pictures):
        image = _decoded(picture)
        left = _GAP + number * (_SIDE + _GAP) + (_SIDE - image.width) // 2
        whole.paste(image, (left, _GAP + (_SIDE - image.height) // 2))
    packed = io.BytesIO()
    whole.save(packed, "PNG", optimize=True)
    return packed.getvalue()


def _decoded(picture: Picture) -> Image.Image:
    content = base64.b64decode(picture.source.partition(",")[2])
    with Image.open(io.BytesIO(content)) as file:
        image = file.convert("RGB")
    scale = _SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)
