"""Series and images as TensorBoard summaries: one step a window, beside what users of TFX have open anyway."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.common.errors import MonitorError

from ..extras import imported
from .observed import Observed
from .series import SERIES

_WHAT = "metrics.tensorboard"
_SCALARS = "scalars"


class Summaries:
    """Event files, in a folder a model.

    A window that is told twice, as after a kill, gives the same step the same values once more.

    Args:
      folder: of the folders; made where it is missing.

    Raises:
      MonitorError: the folder cannot be made or written to, or TensorBoard is not installed.

    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._writer = imported("tensorboard.summary.writer.event_file_writer", _WHAT).EventFileWriter
        self._event = imported("tensorboard.compat.proto.event_pb2", _WHAT).Event
        self._summary = imported("tensorboard.compat.proto.summary_pb2", _WHAT)
        self._writers: dict[str, Any] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MonitorError(f"`{_WHAT}` must be a folder. Received: {folder}, {error.strerror}") from error
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise MonitorError(f"`{_WHAT}` must be a folder that can be written to. Received: {folder}")

    def add(self, observed: Observed, images: Mapping[str, bytes] = {}) -> None:
        """Writes the window judged last, and hands it to the operating system.

        Args:
          observed: of a model with a window.
          images: PNG files by what they show, such as `window`.

        """
        last = observed.last
        if last is None:
            return
        values = [self._scalar(*each) for each in _scalars(observed, last.judged_at)]
        values += [self._image(name, png) for name, png in images.items()]
        summary = self._summary.Summary(value=values)
        writer = self._of(observed.model)
        writer.add_event(self._event(wall_time=last.judged_at, step=last.window, summary=summary))
        writer.flush()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _of(self, model: str) -> Any:
        if model not in self._writers:
            self._writers[model] = self._writer(str(self._folder / model))
        return self._writers[model]

    def _scalar(self, tag: str, value: float) -> Any:
        plugin = self._summary.SummaryMetadata(
            plugin_data=self._summary.SummaryMetadata.PluginData(plugin_name=_SCALARS)
        )
        return self._summary.Summary.Value(tag=tag, simple_value=value, metadata=plugin)

    def _image(self, name: str, png: bytes) -> Any:
        width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))  # of PNG's first chunk
        image = self._summary.Summary.Image(height=height, width=width, encoded_image_string=png)
        return self._summary.Summary.Value(tag=f"images/{name}", image=image)


def _scalars(observed: Observed, now: float) -> Sequence[tuple[str, float]]:
    """The series about the window, named by their labels."""
    found = []
    for series in (each for each in SERIES if each.of_window):
        for point in series.points(observed, now):
            labels = "/".join(point.labels[name] for name in series.labels)
            found.append((f"{series.name}/{labels}" if labels else series.name, point.value))
    return found
