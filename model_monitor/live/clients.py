"""A client of the demonstration: images of a data set, sent to a model's REST as any client would send them."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from components.common.errors import MonitorError

from ..traffic import shifts
from .story import Traffic

_SECONDS = 60.0


@dataclass
class Client:
    """Sends windows of images; each is drawn anew, so that no two are of the same images.

    Attributes:
      address: `http://host:port` of the server or of what stands in front of it.
      model: its name there.
      feature: the name of its input.
      images: uint8 [N, H, W, C], labels int64 [N], of which windows are drawn.

    """

    address: str
    model: str
    feature: str
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    sent: int = 0

    def send(self, traffic: Traffic, count: int, size: int, seed: int) -> None:
        """Sends one window.

        Args:
          traffic: how its images differ.
          count: how many images.
          size: of a request, in images.
          seed: of the draw.

        Raises:
          MonitorError: a request was not answered.

        """
        images = self._drawn(traffic, count, seed)
        host = urlsplit(self.address)
        connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=_SECONDS)
        try:
            for start in range(0, count, size):
                self._ask(connection, images[start : start + size])
        finally:
            connection.close()

    def answers(self) -> bool:
        """Whether the model answers by now."""
        try:
            self.send(Traffic(), 1, 1, 0)
        except MonitorError:
            return False
        return True

    def _ask(self, connection: http.client.HTTPConnection, images: npt.NDArray[Any]) -> None:
        body = json.dumps({"inputs": {self.feature: images.tolist()}})
        self.sent += 1
        headers = {"Content-Type": "application/json", "X-Request-Id": f"live-{self.sent}"}
        try:
            connection.request("POST", f"/v1/models/{self.model}:predict", body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise MonitorError(f"{self.address} must answer. Received: {error}") from error
        if answer.status != http.client.OK:
            raise MonitorError(f"{self.address} must answer. Received: {answer.status} {text[:200]!r}")

    def _drawn(self, traffic: Traffic, count: int, seed: int) -> npt.NDArray[Any]:
        if not traffic.shift:
            return self.images[shifts.draw(len(self.images), count, seed)]
        how = {"severity": traffic.severity, "fraction": traffic.fraction}
        return shifts.apply(traffic.shift, self.images, self.labels, **how, seed=seed, count=count).images  # type: ignore[arg-type]
