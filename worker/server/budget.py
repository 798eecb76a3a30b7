"""How much of a worker's memory its clients may fill, each of them and all together."""

from __future__ import annotations

from collections.abc import Hashable

from photorig.shared.errors import ProtocolError

MiB = 1 << 20
SENT_OF_CLIENT, SENT_OF_ALL = 512 * MiB, 1536 * MiB
"""Bytes of portraits that are being read and of photos that wait for their fits."""
STORED_OF_CLIENT, STORED_OF_ALL = 1024 * MiB, 4096 * MiB
"""Bytes on the disk of uploads that are under way, and of photos that wait for their fits."""
UNREAD_OF_CLIENT, UNREAD_OF_ALL = 1024 * MiB, 4096 * MiB
"""Bytes of finished frames that have not been acknowledged; more are not made until they are."""


class TooMuch(ProtocolError):
    """A client asks for more than it, or all together, may have at a time."""


class ByteBudget:
    """Counts bytes that are held for clients.

    Args:
        of_client, of_all: most bytes for one client, and for all of them.
    """

    def __init__(self, of_client: int, of_all: int) -> None:
        self._of_client, self._of_all = of_client, of_all
        self._held: dict[Hashable, int] = {}
        self.total = 0

    def of(self, client: Hashable) -> int:
        """Bytes that are held for a client."""
        return self._held.get(client, 0)

    def has_room(self, client: Hashable) -> bool:
        """Whether more may be held. Who holds nothing always has room, whatever the others do."""
        held = self.of(client)
        return not held or (held < self._of_client and self.total < self._of_all)

    def take(self, client: Hashable, n_bytes: int) -> None:
        """Hold so many bytes. Raises TooMuch, and then holds none of them."""
        if self.of(client) + n_bytes > self._of_client or self.total + n_bytes > self._of_all:
            raise TooMuch(
                "The worker holds too much for its clients already",
                "Wait until what was sent before has been answered.",
            )
        self.hold(client, n_bytes)

    def hold(self, client: Hashable, n_bytes: int) -> None:
        """The same for what is there already: it is counted, whatever there is."""
        self._held[client] = self.of(client) + n_bytes
        self.total += n_bytes

    def give_back(self, client: Hashable, n_bytes: int) -> None:
        """Hold so many bytes less."""
        held = self.of(client)
        returned = min(n_bytes, held)
        self.total -= returned
        if held > returned:
            self._held[client] = held - returned
        else:
            self._held.pop(client, None)
