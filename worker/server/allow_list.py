"""Who may come: public keys of clients on other computers, in a file that a person can read."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from zmq.utils import z85

from photorig.shared.errors import InputError
from photorig.shared.files.text_files import read_any_text
from photorig.shared.files.writing import make_private_folder, write_atomically

_MAX_BYTES = 1 << 20
_LOOK_SECONDS = 1.0
_HINT = "Give a text file with one key a line."


@dataclass(frozen=True)
class KnownClient:
    """A client that was let in.

    Attributes:
        key: its public key (Z85, 40 characters).
        name: what it called itself, "" where somebody wrote the key alone.
    """

    key: str
    name: str = ""


def read_clients(path: Path) -> list[KnownClient]:
    """The clients of a file: a key a line, and after `` # `` its name.

    Raises:
        InputError: there is no such file, or a line is no key.
    """
    lines = read_any_text(path, _HINT, _MAX_BYTES).splitlines()
    clients = []
    for number, line in enumerate(lines, start=1):
        # Z85 itself contains '#', so a comment needs a line of its own or a space before it.
        key, _, name = ("", "", "") if line.startswith("# ") else line.partition(" #")
        if not key.strip():
            continue
        if not is_key(key.strip()):
            raise InputError(f"{path}, line {number}: this is no key", "A key has 40 characters.")
        clients.append(KnownClient(key.strip(), name.strip()))
    return clients


def is_key(text: str) -> bool:
    """Whether this is a CURVE key as Z85 writes it."""
    try:
        return len(text) == 40 and len(z85.decode(text)) == 32
    except (KeyError, ValueError):
        return False


class AllowList:
    """The file, and what it says now: a client that was added or removed counts at once.

    Args:
        path: need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: frozenset[bytes] = frozenset()
        self._seen: tuple[int, int, int] | None = None
        self._looked = float("-inf")

    def clients(self) -> list[KnownClient]:
        """Everybody on the list. Raises InputError where the file cannot be read."""
        return read_clients(self.path) if self.path.exists() else []

    def __contains__(self, key: object) -> bool:
        """Whether this key (32 bytes) is on the list now. A file that became unreadable, or is
        gone, lets nobody in."""
        now = time.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self._look()
        return key in self._keys

    def _look(self) -> None:
        seen = None
        with contextlib.suppress(OSError):
            status = self.path.stat()
            seen = status.st_mtime_ns, status.st_size, status.st_ino
        if seen is not None and seen == self._seen:
            return
        self._seen, self._keys = seen, frozenset()
        with contextlib.suppress(InputError):
            self._keys = frozenset(z85.decode(one.key) for one in self.clients())

    def add(self, client: KnownClient) -> None:
        """Let somebody in; who comes again under a name takes the place of the one before.

        Raises:
            InputError: the file cannot be written.
        """
        others = [one for one in self.clients() if client.name not in ("", one.name)]
        self._write([*(one for one in others if one.key != client.key), client])

    def remove(self, name: str) -> KnownClient:
        """Let somebody in no longer. Raises InputError where nobody has that name or key."""
        clients = self.clients()
        found = [one for one in clients if name in (one.name, one.key)]
        if not found:
            known = ", ".join(one.name or one.key for one in clients) or "nobody"
            raise InputError(f"Nobody is called {name!r}", f"On the list: {known}.")
        self._write([one for one in clients if one not in found])
        return found[0]

    def _write(self, clients: list[KnownClient]) -> None:
        lines = ["# Clients that this worker lets in: a public key, and after ' #' its name."]
        lines += [f"{one.key} # {one.name}".removesuffix(" # ") for one in clients]
        try:
            make_private_folder(self.path.parent)
        except OSError as error:
            raise InputError(
                f"Cannot make the folder {self.path.parent}: {error.strerror}"
            ) from error
        write_atomically(self.path, (os.linesep.join(lines) + os.linesep).encode(), private=True)
