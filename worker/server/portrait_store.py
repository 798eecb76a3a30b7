"""Portraits the worker holds: some in memory, the files in a folder of the user's cache.

Everything is named by the SHA-256 of the portrait file, so an entry is never out of date. The
methods may be called from any thread.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.messages import PortraitInfo
from photorig.shared.writing import write_atomically

log = logging.getLogger(__name__)

_PORTRAIT_ID = re.compile(r"[0-9a-f]{64}")


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
        read: portrait file bytes to a portrait; raises InputError. Must execute nothing.
        memory_bytes: most bytes of photos and files kept in memory; the last portrait always stays.
        disk_bytes: most bytes of files kept in the folder.
    """

    def __init__(
        self,
        folder: Path,
        read: Callable[[bytes], StoredPortrait],
        memory_bytes: int = 1 << 30,
        disk_bytes: int = 4 << 30,
    ) -> None:
        self._folder = folder
        self._read = read
        self._memory_bytes = memory_bytes
        self._disk_bytes = disk_bytes
        self._portraits: OrderedDict[str, StoredPortrait] = OrderedDict()
        self._file_bytes: dict[str, int] = {}
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
            portrait = self._portraits.get(portrait_id)
            if portrait is not None:
                self._portraits.move_to_end(portrait_id)
                return portrait
        content = self._content(portrait_id)
        portrait = self._read(content)
        self._remember(portrait_id, portrait, len(content))
        return portrait

    def add(self, portrait_id: str, content: bytes) -> StoredPortrait:
        """Take an uploaded portrait file.

        Raises:
            InputError: the content has another hash, or is no portrait.
        """
        if hashlib.sha256(content).hexdigest() != portrait_id:
            raise InputError("The portrait was damaged on the way", "Load it again.")
        portrait = self._read(content)
        self._remember(portrait_id, portrait, len(content))
        self._keep_file(portrait_id, content)
        return portrait

    def info(self, portrait_id: str) -> PortraitInfo:
        """What the client shows of a portrait. Raises what ``get`` raises."""
        portrait = self.get(portrait_id)
        height, width = portrait.photo.shape[:2]
        return PortraitInfo(
            portrait_id,
            portrait.name,
            np.asarray(portrait.parameters, np.float32),
            width,
            height,
            np.asarray(portrait.thumbnail, np.uint8),
        )

    def _path(self, portrait_id: str) -> Path:
        return self._folder / f"{portrait_id}.portrait"

    def _content(self, portrait_id: str) -> bytes:
        # The id comes from the wire and becomes a file name: nothing but 64 hex digits may pass.
        if not _PORTRAIT_ID.fullmatch(portrait_id):
            raise UnknownPortrait(portrait_id)
        path = self._path(portrait_id)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UnknownPortrait(portrait_id) from error
        if hashlib.sha256(content).hexdigest() != portrait_id:
            log.warning("removing damaged portrait file %s", path)
            path.unlink(missing_ok=True)
            raise UnknownPortrait(portrait_id)
        return content

    def _remember(self, portrait_id: str, portrait: StoredPortrait, file_bytes: int) -> None:
        with self._lock:
            self._portraits[portrait_id] = portrait
            self._file_bytes[portrait_id] = file_bytes
            self._portraits.move_to_end(portrait_id)
            while len(self._portraits) > 1 and self._bytes_in_memory() > self._memory_bytes:
                oldest, _ = self._portraits.popitem(last=False)
                del self._file_bytes[oldest]

    def _bytes_in_memory(self) -> int:
        photos = sum(portrait.photo.nbytes for portrait in self._portraits.values())
        return photos + sum(self._file_bytes.values())

    def _keep_file(self, portrait_id: str, content: bytes) -> None:
        """Save for the next launch; a full disk is no reason to refuse the portrait."""
        path = self._path(portrait_id)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, content, private=True)
            self._prune()
        except (OSError, InputError) as error:
            log.warning("cannot keep portrait in %s: %s", self._folder, error)

    def _prune(self) -> None:
        """Remove the oldest files until the folder is within its limit."""
        files = sorted(self._folder.glob("*.portrait"), key=lambda path: path.stat().st_mtime)
        total = sum(path.stat().st_size for path in files)
        for path in files[:-1]:
            if total <= self._disk_bytes:
                break
            total -= path.stat().st_size
            path.unlink(missing_ok=True)
