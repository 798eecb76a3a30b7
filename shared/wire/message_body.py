"""What every form of a message is made of, and how the fields of a body are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from .protocol import MalformedBody, Message, Payload

MAX_TEXT = 2000
MAX_NAME = 200
MAX_EDGE = 1 << 16
"""Most pixels along an edge of a photo or a frame."""


def as_sent(text: str, limit: int = MAX_TEXT) -> str:
    """A text as a reader takes it: shortened, with ``?`` for halves of characters."""
    return text[:limit].encode("utf-8", "replace").decode()


_GREATEST_NUMBER = 1e300
"""Whole numbers have no end, but no float holds them."""


class Form(NamedTuple):
    """A message's body and payloads, still without a header."""

    body: dict[str, Any]
    payloads: tuple[Payload, ...] = ()


class Body:
    """Typed access to a body that may hold anything."""

    def __init__(self, message: Message, body: Mapping[str, Any] | None = None) -> None:
        self._id = message.header.id
        self._kind = message.header.kind
        self._body = message.header.body if body is None else body

    def refuse(self, name: str) -> NoReturn:
        raise MalformedBody(f"Field {name!r} of a {self._kind!r} message is wrong", self._id)

    def text(self, name: str, default: str | None = None, limit: int = MAX_TEXT) -> str:
        value = self._body.get(name, default)
        if not isinstance(value, str) or len(value) > limit:
            self.refuse(name)
        return value

    def flag(self, name: str) -> bool:
        """True or False, which is also what is not said."""
        value = self._body.get(name, False)
        if not isinstance(value, bool):
            self.refuse(name)
        return value

    def integer(self, name: str, lowest: int, highest: int, default: int | None = None) -> int:
        value = self._body.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            self.refuse(name)
        return value

    def optional_number(self, name: str) -> float | None:
        """A finite number that is not negative, or None."""
        value = self._body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(name)
        if not 0 <= value <= _GREATEST_NUMBER:
            self.refuse(name)
        return float(value)

    def texts(self, name: str, limit: int = 16, default: object = None) -> tuple[str, ...]:
        value = self._body.get(name, default)
        if not isinstance(value, list) or len(value) > limit:
            self.refuse(name)
        if not all(isinstance(entry, str) and len(entry) <= MAX_TEXT for entry in value):
            self.refuse(name)
        return tuple(value)

    def integers(self, name: str, limit: int = 16) -> tuple[int, ...]:
        value = self._body.get(name)
        if not isinstance(value, list) or len(value) > limit:
            self.refuse(name)
        if not all(isinstance(entry, int) and not isinstance(entry, bool) for entry in value):
            self.refuse(name)
        return tuple(value)

    def object(self, name: str) -> dict[str, Any]:
        value = self._body.get(name)
        if not isinstance(value, dict):
            self.refuse(name)
        return value
