"""Files that are there complete or not at all, and sentences for what prevents it.

Everything that writes a file which somebody may miss goes through here: frames and their journal,
parameters, portraits, films, connection files. A file is made without a name where the system can,
under a name of its own in the same folder elsewhere, is on the disk before it gets its name, and
gets that name in one step; two processes that write the same file never meet, and one that is
killed leaves nothing behind that anybody takes for a file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import InputError

SUFFIX = ".part"
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_OURS = re.compile(r"\.[a-z0-9]{4,12}\.part")
_TRIES = 100
_OPEN = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NAMELESS = getattr(os, "O_TMPFILE", 0)
_NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""What file systems say that have no such thing."""


def write_atomically(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file in one step: it is there complete, or not at all.

    Args:
        private: for its owner only.

    Raises:
        InputError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    with explained(path), replacing(path, private=private) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """What is written into this file (``w+b``) becomes ``path`` when the block ends well.

    Raises:
        InputError: it cannot be written. What the block itself raises goes through as it is, and
            then nothing is left behind.
    """
    made = FileInTheMaking(path, private=private)
    try:
        yield made.file
        made.commit()
    finally:
        made.discard()


class FileInTheMaking:
    """A file that becomes ``path`` by ``commit``, or nothing by ``discard`` or the process's end.

    Attributes:
        file: to write to and to read from (``w+b``).
        path: where it will be.
    """

    def __init__(self, path: Path, *, private: bool = False) -> None:
        """Raises InputError where it cannot be written."""
        with explained(path):
            _check_kind(path)
            handle, self._temporary = _create(path, 0o600 if private else 0o666)
        self.path = path
        self.file: IO[bytes] = os.fdopen(handle, "w+b")

    def commit(self) -> None:
        """On the disk and under its name; closed. Raises InputError, and then it is none."""
        try:
            with explained(self.path):
                self.file.flush()
                _to_disk(self.file.fileno())
                if self._temporary is None:
                    self._temporary = _give_a_name(self.file, self.path)
                self.file.close()  # Windows gives no name to what is open
                _rename(self._temporary, self.path)
                self._temporary = None
                _folder_to_disk(self.path.parent)
        finally:
            self.discard()

    def discard(self) -> None:
        """Nothing of it stays. Never raises; after ``commit`` it does nothing."""
        with contextlib.suppress(OSError):  # what could not be written is written once more here
            self.file.close()
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)
            self._temporary = None


def append(path: Path, line: bytes, *, private: bool = False) -> None:
    """Add a line to a journal or a log, in one piece, and see that it is on the disk.

    Raises:
        InputError: as of write_atomically, or it is no file but a link, a device or a pipe.
    """
    flags = _OPEN | os.O_CREAT | os.O_APPEND | _NO_LINK | getattr(os, "O_NONBLOCK", 0)
    with explained(path):
        _check_kind(path)
        handle = os.open(path, flags, 0o600 if private else 0o666)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            written = os.write(handle, line)
            while written < len(line):  # a disk that is nearly full: the rest says why
                written += os.write(handle, line[written:])
            _to_disk(file.fileno())


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn a failure to write this file into a sentence.

    Raises:
        InputError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(
                f"The disk of {str(path.parent)!r} is full",
                "Finished frames are safe: free some space and render again.",
            ) from error
        if error.errno == errno.ENAMETOOLONG:
            raise InputError(
                f"The name {path.name[:24]}… is too long for its folder", "Give a shorter one."
            ) from error
        raise InputError(
            f"Cannot write {str(path)!r}: {error.strerror or error}",
            "Check the output folder and its permissions.",
        ) from error


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are not there, for their owner only, whatever the
    umask. Raises OSError."""
    # mkdir's mode holds for the last folder alone; its parents get what the umask leaves.
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)


# --- before the work


def check_writable(path: Path, example: str = "", n_bytes: int = 1 << 16) -> None:
    """Find out before long work what would prevent this file from being written after it.

    Args:
        example: a name for such a file, for the sentence to one who gave a folder.
        n_bytes: how large it will be at least.

    Raises:
        InputError: the place is a folder, there is none for it, its name is too long, it or its
            folder are write-protected, or the disk is full.
    """
    hint = f"Give a file name, for example {example}." if example else "Give a file name."
    with explained(path):
        if not path.name or path.is_dir():
            raise InputError(f"{path} is a folder", hint)
        _check_kind(path)
        if path.exists() and not os.access(path, os.W_OK):
            raise InputError(f"{path} is write-protected", "Give another name.")
        _check_folder(path.absolute().parent, n_bytes)


def check_folder_writable(folder: Path, n_bytes: int = 1 << 16) -> None:
    """The same for a folder, there or yet to be made, in which files will be written.

    Raises:
        InputError.
    """
    place = folder.absolute()
    with explained(place):
        while not (place.exists() or place.is_symlink()):
            place = place.parent
        for missing in folder.absolute().relative_to(place).parts:
            _check_kind(place / missing)  # its name may be too long
        if not place.is_dir():
            raise InputError(f"{place} is a file, not a folder", "Give another name.")
        _check_folder(place, n_bytes)


def sweep(folder: Path, older_than_seconds: float = 3600.0) -> None:
    """Remove what killed processes have left of files they were writing; it is never an error."""
    with contextlib.suppress(OSError):
        for leftover in folder.glob(f".*{SUFFIX}"):
            if not _OURS.fullmatch(leftover.name):
                continue
            with contextlib.suppress(OSError):
                status = leftover.lstat()
                if stat.S_ISREG(status.st_mode) and (
                    time.time() - status.st_mtime > older_than_seconds
                ):
                    leftover.unlink()


def _check_folder(folder: Path, n_bytes: int) -> None:
    """Raises InputError, or OSError where the disk says no."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}", "Make it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"The folder {folder} is write-protected", "Choose another one.")
    space = shutil.disk_usage(folder)
    if space.total > 0 and space.free < n_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    handle, name = _create(folder / "temporary", 0o600)
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            file.write(bytes(min(n_bytes, 1 << 16)))
            _to_disk(file.fileno())
    finally:
        if name is not None:
            name.unlink(missing_ok=True)


def _check_kind(path: Path) -> None:
    """A device or a pipe must not be replaced by a file, nor written to as if it were one."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InputError(f"{path} is a device or a pipe, not a file", "Give a file name.")


# --- the steps


def _create(path: Path, mode: int) -> tuple[int, Path | None]:
    """An empty file in the folder of ``path``: open, and its name if it has one.

    Raises:
        OSError.
    """
    if _NAMELESS and Path("/proc/self/fd").is_dir():
        # Not every file system knows it; what is wrong with the folder, the other way tells.
        with contextlib.suppress(OSError):
            return os.open(path.parent, _OPEN | _NAMELESS, mode), None
    for _ in range(_TRIES):
        name = _temporary_name(path)
        with contextlib.suppress(FileExistsError):
            return os.open(name, _OPEN | os.O_CREAT | os.O_EXCL | _NO_LINK, mode), name
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _temporary_name(path: Path) -> Path:
    """Beside ``path`` and not longer, but for names of less than four letters."""
    length = max(len(os.fsencode(path.name)), 4)
    ending = SUFFIX if length >= 10 else ""
    n_random = min(length - 1 - len(ending), 12)
    return path.with_name("." + "".join(map(secrets.choice, [_LETTERS] * n_random)) + ending)


def _give_a_name(file: IO[bytes], path: Path) -> Path:
    """To a file that was made without. Raises OSError."""
    for _ in range(_TRIES):
        name = _temporary_name(path)
        with contextlib.suppress(FileExistsError):
            try:
                # A folder to start from makes Python follow the link, as it ought to anyway.
                os.link(f"/proc/self/fd/{file.fileno()}", name, src_dir_fd=file.fileno())
            except FileExistsError:
                raise
            except OSError:  # forbidden in some containers
                _copy(file, name)
            return name
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _copy(file: IO[bytes], name: Path) -> None:
    mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    handle = os.open(name, _OPEN | os.O_CREAT | os.O_EXCL | _NO_LINK, mode)
    try:
        with os.fdopen(handle, "wb") as copy:
            file.seek(0)
            shutil.copyfileobj(file, copy, 1 << 20)
            copy.flush()
            _to_disk(copy.fileno())
    except OSError:
        name.unlink(missing_ok=True)
        raise


def _rename(temporary: Path, path: Path) -> None:
    for attempt in range(10):
        try:
            temporary.replace(path)
            return
        except PermissionError:
            # Windows: while another process replaces the same file, or a scanner looks at it.
            if os.name != "nt" or attempt == 9:
                raise
            time.sleep(0.02)


def _to_disk(handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise


def _folder_to_disk(folder: Path) -> None:
    """The name, too; where a folder cannot be opened so, the system sees to it."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
