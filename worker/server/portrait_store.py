"""Portraits the worker holds: some in memory, the files in a folder of the user's cache.

Everything is named by the SHA-256 of the portrait file, so an entry is never out of date. The
methods may be called from any thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from photorig.shared.bounded_cache import BoundedCache
from photorig.shared.errors import InputError
from photorig.shared.files.portrait_layout import MAXIMUM_BYTES
from photorig.shared.files.reading import Content, FileBytes, open_file, sha256_of
from photorig.shared.files.writing import make_private_folder, write_atomically
from photorig.shared.parameters.arkit_amounts import amounts_of
from photorig.shared.wire.messages import PortraitInfo

from .received_file import ReceivedFile

log = logging.getLogger(__name__)

_PORTRAIT_ID = re.compile(r"[0-9a-f]{64}")
_QUARANTINE_SECONDS = 3600.0
_SMALL_BYTES = 32 << 20
"""Of photo and file: a sent portrait that is larger is read again when a frame needs it."""

Accepted = TypeVar("Accepted")


class StoredPortrait(Protocol):
    """What the store and the wire need of a portrait; Portrait has it."""

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> np.ndarray: ...
    @property
    def photo(self) -> np.ndarray: ...
    @property
    def thumbnail(self) -> np.ndarray: ...


class PortraitSource(Protocol):
    """Where a device has its portraits from."""

    def get(self, portrait_id: str) -> Any:
        """The portrait. Raises UnknownPortrait, InputError."""


class UnknownPortrait(InputError):
    """The worker does not hold this portrait; the client is to upload it."""

    def __init__(self, portrait_id: str) -> None:
        super().__init__(
            f"The worker does not have the portrait {portrait_id[:12]}", "Load the portrait again."
        )


class PortraitStore:
    """Portraits by id.

    Args:
        folder: for the files; made when first needed.
        read: portrait file to a portrait; raises InputError. Must execute nothing.
        memory_bytes: most bytes of photos and files kept in memory; the last portrait always stays.
        disk_bytes: most bytes of files kept in the folder.
    """

    def __init__(
        self,
        folder: Path,
        read: Callable[[Content], StoredPortrait],
        memory_bytes: int = 1 << 30,
        disk_bytes: int = 4 << 30,
    ) -> None:
        self.folder = folder
        self._read = read
        self._disk_bytes = disk_bytes
        self._portraits = BoundedCache[str, tuple[StoredPortrait, int]](
            memory_bytes, lambda kept: kept[0].photo.nbytes + kept[1], keeps_last=True
        )
        self._quarantined: set[str] = set()
        self._lock = threading.Lock()

    def __contains__(self, portrait_id: str) -> bool:
        """Whether ``get`` is likely to work; reads nothing."""
        if not _PORTRAIT_ID.fullmatch(portrait_id):
            return False
        with self._lock:
            if portrait_id in self._portraits:
                return True
        return self._path(portrait_id).is_file()

    def get(self, portrait_id: str) -> StoredPortrait:
        """The portrait. Raises UnknownPortrait; InputError where its file is damaged."""
        with self._lock:
            kept = self._portraits.get(portrait_id)
        if kept is not None:
            return kept[0]
        with self._opened(portrait_id) as content:
            self._refuse_quarantined(portrait_id)
            portrait = self._read(content)
            self._remember(portrait_id, portrait, len(content))
        return portrait

    def add(
        self,
        portrait_id: str,
        content: bytes | memoryview,
        accept: Callable[[PortraitInfo], Accepted],
    ) -> Accepted:
        """Take an uploaded portrait file, and give what ``accept`` makes of it.

        It is kept only after that: what cannot be answered must not be found at the next launch.

        Raises:
            InputError: the content has another hash, or is no portrait.
        """
        # Before it is copied: what is refused takes no memory.
        if hashlib.sha256(content).hexdigest() != portrait_id:
            raise InputError("The portrait was damaged on the way", "Load it again.")
        self._refuse_quarantined(portrait_id)
        content = bytes(content)
        portrait = self._read(content)
        accepted = accept(_info(portrait_id, portrait))
        self._remember(portrait_id, portrait, len(content))
        path, whole = self._path(portrait_id), content
        self._keep(portrait_id, lambda: write_atomically(path, whole, private=True))
        return accepted

    def take(self, received: ReceivedFile, accept: Callable[[PortraitInfo], Accepted]) -> Accepted:
        """The same of a file that has come in chunks; it becomes one of the store's, or nothing.

        Of a large one nothing stays in memory.

        Raises:
            InputError: it has another hash, is no portrait, or there is no room for it.
        """
        try:
            content, portrait_id = received.whole(), received.sha256
            self._refuse_quarantined(portrait_id)
            portrait = self._read(content)
            n_bytes = len(content)
            accepted = accept(_info(portrait_id, portrait))
            is_kept = self._keep(portrait_id, lambda: received.save(self._path(portrait_id)))
            if portrait.photo.nbytes + n_bytes <= _SMALL_BYTES or not is_kept:
                self._remember(portrait_id, portrait, n_bytes)
            return accepted
        finally:
            received.discard()

    def content(self, portrait_id: str) -> bytes:
        """The portrait's file, for a device elsewhere. Raises UnknownPortrait, InputError."""
        with self._opened(portrait_id) as content:
            self._refuse_quarantined(portrait_id)
            return content[: len(content)]

    def info(self, portrait_id: str) -> PortraitInfo:
        """What the client shows of a portrait. Raises what ``get`` raises."""
        return _info(portrait_id, self.get(portrait_id))

    def quarantine(self, portrait_id: str) -> None:
        """Refuse this portrait for an hour, at the next launch, too: the worker hung at it."""
        if not _PORTRAIT_ID.fullmatch(portrait_id):
            return
        with self._lock:
            self._quarantined.add(portrait_id)
            self._portraits.pop(portrait_id)
        try:
            make_private_folder(self.folder)
            write_atomically(self._mark(portrait_id), b"", private=True)
        except (OSError, InputError) as error:
            log.warning("cannot note that %s is refused: %s", portrait_id, error)

    def _mark(self, portrait_id: str) -> Path:
        return self.folder / f"{portrait_id}.hung"

    def _refuse_quarantined(self, portrait_id: str) -> None:
        """Raises InputError."""
        with self._lock:
            refused = portrait_id in self._quarantined
        if not refused:
            with contextlib.suppress(OSError):
                age = time.time() - self._mark(portrait_id).stat().st_mtime
                refused = age < _QUARANTINE_SECONDS
        if refused:
            raise InputError(
                f"The worker hung at the portrait {portrait_id[:12]}, and refuses it for an hour",
                "Fit the photo again, or render it smaller.",
            )

    def _path(self, portrait_id: str) -> Path:
        return self.folder / f"{portrait_id}.portrait"

    @contextlib.contextmanager
    def _opened(self, portrait_id: str) -> Iterator[Content]:
        """The portrait's file, with the right hash. Raises UnknownPortrait."""
        # The id comes from the wire and becomes a file name: nothing but 64 hex digits may pass.
        if not _PORTRAIT_ID.fullmatch(portrait_id):
            raise UnknownPortrait(portrait_id)
        path = self._path(portrait_id)
        with contextlib.ExitStack() as opened:
            try:
                content = FileBytes(opened.enter_context(open_file(path, MAXIMUM_BYTES)))
                is_right = sha256_of(content) == portrait_id
            except OSError as error:
                raise UnknownPortrait(portrait_id) from error
            if is_right:
                yield content
                return
        log.warning("removing damaged portrait file %s", path)
        path.unlink(missing_ok=True)
        raise UnknownPortrait(portrait_id)

    def _remember(self, portrait_id: str, portrait: StoredPortrait, file_bytes: int) -> None:
        with self._lock:
            self._portraits.put(portrait_id, (portrait, file_bytes))

    def _keep(self, portrait_id: str, save: Callable[[], None]) -> bool:
        """Save for the next launch; a full disk is no reason to refuse the portrait."""
        try:
            make_private_folder(self.folder)
            save()
            self._prune()
        except (OSError, InputError) as error:
            log.warning("cannot keep %s in %s: %s", portrait_id[:12], self.folder, error)
            return False
        return True

    def _prune(self) -> None:
        """Remove the oldest files until the folder is within its limit."""
        files = sorted(self.folder.glob("*.portrait"), key=lambda path: path.stat().st_mtime)
        total = sum(path.stat().st_size for path in files)
        for path in files[:-1]:
            if total <= self._disk_bytes:
                break
            total -= path.stat().st_size
            path.unlink(missing_ok=True)
        for mark in self.folder.glob("*.hung"):
            if time.time() - mark.stat().st_mtime > _QUARANTINE_SECONDS:
                mark.unlink(missing_ok=True)


def _info(portrait_id: str, portrait: StoredPortrait) -> PortraitInfo:
    height, width = portrait.photo.shape[:2]
    return PortraitInfo(
        portrait_id,
        portrait.name,
        amounts_of(portrait.parameters),
        width,
        height,
        np.asarray(portrait.thumbnail, np.uint8),
    )
