"""A file that a client sends in chunks: on the disk and hashed as it comes, never whole in memory.

Until it is asked for it has no name where the system can make such files, and one of its own that
is for its owner only elsewhere; it goes with the process that receives it.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from pathlib import Path

from photorig.shared.errors import InputError, PhotorigError, ProtocolError
from photorig.shared.files.reading import FileBytes
from photorig.shared.files.writing import FileInTheMaking, explained, make_private_folder

log = logging.getLogger(__name__)

_COPIED_BYTES = 1 << 20
_LEFT_FREE_BYTES = 64 << 20
"""Of the disk, for all else that has to be written."""


class ReceivedFile:
    """One file on its way. Belongs to one thread at a time; nothing is on the disk before the
    first chunk.

    Args:
        folder: where it is written, and made if it is not there; where that cannot be written, or
            has no room, the system's folder for temporary files takes its place.
        sha256: of the whole file, 64 hex digits.
        n_bytes: of the whole file.

    Attributes:
        offset: where the next chunk begins.
        is_over: whether it was discarded; what comes then is refused.
    """

    def __init__(self, folder: Path, sha256: str, n_bytes: int) -> None:
        self.sha256, self.n_bytes = sha256, n_bytes
        self.offset = 0
        self.is_over = False
        self._folder = folder
        self._digest = hashlib.sha256()
        self._made: FileInTheMaking | None = None

    @property
    def taken(self) -> str:
        """SHA-256 of what has come so far."""
        return self._digest.hexdigest()

    def open(self) -> None:
        """See that there is a place for it.

        Raises:
            InputError: there is none; it is over then.
            ProtocolError: it was over already.
        """
        if self.is_over:
            raise unknown_upload()
        if self._made is not None:
            return
        try:
            self._check_room(self._folder)
            self._made = FileInTheMaking(self._folder / f"{self.sha256}.portrait", private=True)
        except (OSError, InputError) as error:
            log.warning("cannot receive a file in %s: %s", self._folder, error)
            self._open_elsewhere()

    def take(self, offset: int, data: bytes | memoryview) -> int:
        """Write a chunk down; returns where the next one begins.

        Raises:
            ProtocolError: it is not the next one, or more than was to come; the file is over then.
            InputError: it cannot be written; so, too.
        """
        try:
            if self.is_over or self._made is None:
                raise unknown_upload()
            if offset != self.offset:
                raise ProtocolError(
                    f"A chunk begins at byte {offset} where {self.offset} was expected",
                    "Send the file again.",
                )
            if not 0 < len(data) <= self.n_bytes - offset:
                raise ProtocolError(
                    "An upload brings more than it said, or an empty chunk", "Send the file again."
                )
            with explained(self._folder / "upload"):
                self._made.file.write(data)
            self._digest.update(data)
            self.offset += len(data)
            return self.offset
        except PhotorigError:
            self.discard()
            raise

    def whole(self) -> FileBytes:
        """All of it, to be read before it is saved or discarded.

        Raises:
            ProtocolError: some of it has not come; it is over then.
            InputError: it has another hash, or is not on the disk any more; so, too.
        """
        try:
            if self.is_over or self._made is None:
                raise unknown_upload()
            if self.offset != self.n_bytes:
                raise ProtocolError(
                    f"An upload ended after {self.offset} of {self.n_bytes} bytes",
                    "Send the file again.",
                )
            if self.taken != self.sha256:
                raise InputError("The file was damaged on the way", "Load it again.")
            with explained(self._folder / "upload"):
                self._made.file.flush()
            return FileBytes(self._made.file)
        except PhotorigError:
            self.discard()
            raise

    def save(self, path: Path) -> None:
        """Under a name, for its owner only; then it is over. Raises InputError."""
        if self._made is not None and self._made.path == path:
            self._made.commit()
            self.discard()
        else:
            self.copy(path)

    def copy(self, path: Path) -> None:
        """Into another file. Raises InputError."""
        if self._made is None:
            raise unknown_upload()
        copy = FileInTheMaking(path, private=True)
        try:
            with explained(path):
                self._made.file.seek(0)
                shutil.copyfileobj(self._made.file, copy.file, _COPIED_BYTES)
            copy.commit()
        finally:
            copy.discard()

    def discard(self) -> None:
        """Nothing of it stays. Never raises."""
        self.is_over = True
        if self._made is not None:
            self._made.discard()
        self._made = None

    def _open_elsewhere(self) -> None:
        place = Path(tempfile.gettempdir())
        try:
            with explained(place / "upload"):
                self._check_room(place)
            self._made = FileInTheMaking(place / "photorig-upload", private=True)
        except PhotorigError:
            self.discard()
            raise

    def _check_room(self, folder: Path) -> None:
        make_private_folder(folder)
        space = shutil.disk_usage(folder)
        if space.total > 0 and space.free < self.n_bytes + _LEFT_FREE_BYTES:
            raise InputError(
                f"The disk of {str(folder)!r} has no room for {self.n_bytes >> 20} MiB",
                "Free some space and try again.",
            )


class UnknownUpload(ProtocolError):
    """What was begun has been given up; the client may begin again."""


def unknown_upload() -> UnknownUpload:
    return UnknownUpload("The worker does not know this upload", "Send the file again.")
