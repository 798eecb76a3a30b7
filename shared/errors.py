"""The errors a person may see. Each says what happened in one sentence and what to do in another.

They are raised anywhere and caught once at an edge (command line, server loop, operator), which
shows ``str(error)`` to the person and logs the rest for an engineer.
"""

from __future__ import annotations


class PhotorigError(Exception):
    """Anything that went wrong in a way a person can understand.

    Args:
        message: one sentence, without a final full stop, that says what happened.
        hint: one sentence that says what to do about it, or "" where the message already does.
    """

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class InputError(PhotorigError):
    """A file or value the user gave cannot be used."""

    code = "input"


class ModelError(PhotorigError):
    """Model weights are missing, damaged, of the wrong kind or cannot be fetched."""

    code = "model"


class ProtocolError(PhotorigError):
    """A message is malformed, too large, of an unknown version, or out of turn."""

    code = "protocol"


class ConnectionLost(PhotorigError):
    """The worker cannot be reached any more, or never could be."""

    code = "connection"


class Cancelled(PhotorigError):
    """The user asked to stop."""

    code = "cancelled"


ERROR_TYPES: dict[str, type[PhotorigError]] = {
    cls.code: cls
    for cls in (PhotorigError, InputError, ModelError, ProtocolError, ConnectionLost, Cancelled)
}
"""Error class by the ``code`` that travels in an error message on the wire."""
