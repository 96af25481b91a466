"""A line of JSON a message, for whatever collects what a process prints."""

import json
from dataclasses import dataclass
from typing import IO

from .sending import Picture, UndeliveredError
from .texts import Message


@dataclass(frozen=True)
class JsonLines:
    """Standard output, or another stream of text."""

    stream: IO[str]

    def send(self, message: Message, key: str, picture: Picture) -> None:
        """As `Sends.send`; lines carry no picture."""
        line = json.dumps({**message.record(), "id": key}, ensure_ascii=False, allow_nan=False)
        try:
            self.stream.write(f"{line}\n")
            self.stream.flush()
        except (OSError, ValueError) as error:  # closed, or a full disk
            raise UndeliveredError(f"the stream cannot be written: {type(error).__name__}") from None
