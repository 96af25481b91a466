"""The images of examples by their ids, and as pictures for a page."""

import base64
import hashlib
import io
import math
import os
from collections.abc import Collection, Sequence

from PIL import Image

from ..common import image_files
from ..common.artifacts import tf_example
from ..common.artifacts.files import Artifact, Files
from ..common.artifacts.splits import only_split_folder
from ..common.errors import MonitorError
from ..common.image_spec import ImageSpec
from ..common.model_spec import ID, IMAGE, ModelSpec
from ..common.recent import Recent

_MOST_PIXELS = 128  # the longer side of an image on the page; larger ones are made smaller
_NAMES_SHOWN = 20
_MOST_SEEN = 8 << 20  # bytes of images that are remembered of the files of a split
_recent: Recent[dict[str, bytes]] = Recent(4)
_packed: Recent[tuple[str, int, int] | None] = Recent(128)  # small ones: those of a baseline are shown in every report


def read_images(
    examples: Artifact, split: str, wanted: Collection[str], files: Files, spec: ModelSpec | None = None
) -> dict[str, bytes]:
    """The images of the examples with these ids, as many as there are.

    Args:
      examples: where they are. Their features have the names of canonical rows or, of held-out examples as they came,
        those of `spec`.
      split: its name.
      wanted: the ids.
      files: how files are read.
      spec: the model's; None: the names are those of canonical rows.

    Raises:
      MonitorError: there is no such split, a file is damaged, or the examples hold not one of the images; it says by
        which features they were looked for, and which there are.

    """
    names = [(ID, IMAGE), *([(spec.id, spec.image.feature)] if spec is not None and spec.id else [])]
    folder = only_split_folder(examples, split, files)
    paths = [f"{folder}/{name}" for name in files.listing(folder)]
    for path in paths:
        files.check(path)  # also of what is remembered
    seen = _seen(paths, names)
    images = {identity: seen[identity] for identity in wanted if identity in seen}
    left = {identity.encode() for identity in wanted if identity and identity not in images}
    first: Sequence[str] = ()
    for path in paths:
        if not left:
            break
        for record in files.long_records(path):
            if not left:
                break
            first = first or sorted(tf_example.parse_example(record))
            for id_key, image_key in names:
                if tf_example.may_hold(record, id_key) in left:
                    images |= _image_of(record, id_key, image_key, left)
    if left and not images:
        tried = " or ".join(f"{image_key!r} by {id_key!r}" for id_key, image_key in dict.fromkeys(names))
        rule = f"{folder} must hold the images that are wanted, {tried}"
        known = ", ".join(first[:_NAMES_SHOWN])
        raise MonitorError(f"{rule}. Received: " + (f"the features {known}" if first else "no example"))
    if sum(map(len, seen.values())) + sum(map(len, images.values())) <= _MOST_SEEN:
        seen.update(images)
    return images


def _seen(paths: Sequence[str], names: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    """The images that were read of these files before, by id: those of a baseline are wanted in every window.

    They are remembered as long as no file changes its size or its time of change; nothing is of files elsewhere.
    """
    try:
        found = [os.stat(path) for path in paths]
    except (OSError, ValueError):
        return {}
    stamps = tuple((path, each.st_ino, each.st_size, each.st_mtime_ns) for path, each in zip(paths, found, strict=True))
    return _recent.get((stamps, tuple(names)), dict)


def png(content: bytes, image: ImageSpec | None = None) -> tuple[str, int, int] | None:
    """An image as a data URI with its width and height; None where the bytes are no image that is known.

    An image is PNG, JPEG, or raw bytes: of the size that `image` says, otherwise of a square in colour or in grey.
    """
    return _packed.get((hashlib.blake2b(content).digest(), image), lambda: _png(content, image))


def _png(content: bytes, image: ImageSpec | None) -> tuple[str, int, int] | None:
    picture = _decoded(content, image)
    if picture is None:
        return None
    if max(picture.size) > _MOST_PIXELS:
        picture.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
    packed = io.BytesIO()
    picture.save(packed, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode(), picture.width, picture.height


def _decoded(content: bytes, image: ImageSpec | None) -> Image.Image | None:
    if image_files.is_image_file(content):
        pixels = image_files.decode(content, 3)
        # a broken image is what the report of the logs counts; here it is only not shown
        return None if pixels is None else Image.fromarray(pixels)
    for height, width, channels in [image.shape] if image and image.shape else _squares(len(content)):
        if height * width * channels == len(content):
            return Image.frombytes("RGB" if channels == 3 else "L", (width, height), content)
    return None


def _squares(size: int) -> list[tuple[int, int, int]]:
    sides = [(math.isqrt(size // channels), channels) for channels in (3, 1)]
    return [(side, side, channels) for side, channels in sides if side]


def _image_of(record: bytes, id_key: str, image_key: str, left: set[bytes]) -> dict[str, bytes]:
    """The image of a record whose id is wanted, which then is no more, by its id."""
    features = tf_example.parse_example(record)
    identity, image = features.get(id_key, []), features.get(image_key, [])
    if len(identity) != 1 or len(image) != 1 or identity[0] not in left or not isinstance(image[0], bytes):
        return {}
    left.discard(identity[0])
    return {identity[0].decode(errors="replace"): image[0]}
