"""What all kinds of channels have in common: a message goes out, or there is a reason why not. No URL in any error."""

import logging
from collections.abc import Callable
from typing import Protocol

from .texts import Message

Picture = Callable[[], bytes | None]  # gives a PNG file, or None where there is none; made when it is asked for
# They write addresses, which hold tokens, into the log.
_TALKATIVE = ("apprise", "httpcore", "httpx", "requests", "urllib3")


class UndeliveredError(Exception):
    """A message could not be sent.

    Attributes:
      final: whether it never can be: the other side says that the message itself is wrong.
      after: seconds after which the other side wants to be asked again; None where it has said nothing.

    """

    def __init__(self, reason: str, *, final: bool = False, after: float | None = None) -> None:
        super().__init__(reason)
        self.final, self.after = final, after


class Sends(Protocol):
    """A channel that is ready."""

    def send(self, message: Message, key: str, picture: Picture) -> None:
        """Sends a message.

        Args:
          message: what is said.
          key: the same for the same message however often it is sent.
          picture: to go with it.

        Raises:
          UndeliveredError: it was not sent, or that is not known.

        """


def keep_addresses_out_of_logs() -> None:
    """Turns off the log of the libraries that send; what goes wrong is told by the reason of the error."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
