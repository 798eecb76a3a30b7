"""The one cache: what was used last, within a limit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Values by key; where they are too large together, those go first that were used longest ago.

    Not locked: threads that share one take turns.

    Args:
        limit: what the sizes of all values may come to.
        size_of: a value's size; without it each counts 1, and ``limit`` is how many are kept.
        keeps_last: whether the value that was put last stays even if it alone is too large.
    """

    def __init__(
        self,
        limit: int,
        size_of: Callable[[Value], int] | None = None,
        keeps_last: bool = False,
    ) -> None:
        self._limit, self._size_of, self._least = limit, size_of, int(keeps_last)
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Key) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[Key]:
        """Keys, the one that was used longest ago first."""
        return iter(self._values)

    @property
    def size(self) -> int:
        """What the sizes of all values come to."""
        return self._size

    @property
    def limit(self) -> int:
        """May be set at any time."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self.make_room()

    def get(self, key: Key) -> Value | None:
        """The value, which so becomes the one that was used last; None where there is none."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, in place of an earlier one of this key."""
        self.pop(key)
        size = 1 if self._size_of is None else self._size_of(value)
        self._values[key] = value, size
        self._size += size
        self.make_room()

    def pop(self, key: Key) -> Value | None:
        """Forget a value, and give it back; None where there is none."""
        value, size = self._values.pop(key, (None, 0))
        self._size -= size
        return value

    def clear(self) -> None:
        self._values.clear()
        self._size = 0

    def make_room(self, more: int = 0) -> None:
        """Forget what has to go for a value of this size, before it is made."""
        least = 0 if more else self._least
        while self._size + more > self._limit and len(self._values) > least:
            _, (_, size) = self._values.popitem(last=False)
            self._size -= size
