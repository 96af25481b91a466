"""Slack, Teams, e-mail, PagerDuty, Telegram and a hundred others, through the library Apprise."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.common.errors import MonitorError

from .sending import Picture, UndeliveredError
from .texts import Message

_KINDS = {"information": "info", "warning": "warning", "critical": "failure"}
_OVER = ("closed", "withdrawn")


@dataclass
class Service:
    """A service of Apprise's that is ready.

    Attributes:
      url: Apprise's, which holds tokens and is not shown.
      images: whether the six images go with the message, as one PNG file, where the service takes attachments.

    """

    url: str = field(repr=False)
    images: bool
    _apprise: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            import apprise  # noqa: PLC0415 - of the extra `live`; it takes a while
        except ImportError as error:
            text = "A channel of the type apprise needs the library: install `tfx-model-monitor[live]`"
            raise MonitorError(text) from error
        self._apprise = apprise.Apprise()
        if not self._apprise.add(self.url):
            raise MonitorError(
                "The `url` of a channel of the type apprise must be one that Apprise knows. Received: another"
            )

    def send(self, message: Message, key: str, picture: Picture) -> None:
        """As `Sends.send`. Apprise has no key by which a service could tell that it has the message already."""
        png = picture() if self.images else None
        with tempfile.TemporaryDirectory(prefix="alert-") as folder:
            file = Path(folder) / "images.png"
            if png:
                file.write_bytes(png)
            kind = "success" if message.kind in _OVER else _KINDS[message.severity]
            attach = str(file) if png else None
            delivered = self._apprise.notify(body=message.text, title=message.title, notify_type=kind, attach=attach)
        if not delivered:
            raise UndeliveredError("the service did not take it")
