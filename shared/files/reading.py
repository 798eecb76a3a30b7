"""Files that were named from outside: a name may lead to a pipe, a device, or far too much.

A pipe blocks whoever opens it, ``/dev/zero`` never ends, and a link leads to both. So every file
that is not our own is read here: regular files only, of a size that makes sense for what it is.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, Protocol

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
"""Without waiting: opening a pipe waits for somebody who writes."""

_PART_BYTES = 1 << 20

Accept = Callable[[os.stat_result], None]
"""Raises an error of its own where the opened file cannot be trusted."""


def read_file(path: Path | str, limit: int, accept: Accept | None = None) -> bytes:
    """The content of a regular file.

    Args:
        limit: most bytes that it may have.
        accept: looks at the opened file's status before anything is read.

    Raises:
        OSError: it is not there, cannot be read, is no regular file, or is too large; ``strerror``
            says it in a few words for a person.
    """
    with open_file(path, limit, accept) as file:
        # Python makes room for as much as is asked for: not for all that the file might have had.
        size = os.fstat(file.fileno()).st_size
        content = file.read(min(size, limit) + 1)
        if size < len(content) <= limit:  # it has grown
            content += file.read(limit + 1 - len(content))
    if len(content) > limit:
        raise _too_large(os.fspath(path), limit)
    return content


@contextlib.contextmanager
def open_file(path: Path | str, limit: int, accept: Accept | None = None) -> Iterator[BinaryIO]:
    """A regular file to read from; arguments and errors as those of ``read_file``."""
    name = os.fspath(path)
    _check(name, Path(name).stat(), limit)  # a device is not even opened
    handle = os.open(name, _FLAGS)
    with os.fdopen(handle, "rb") as file:
        # It may have been replaced since: what counts is what was opened.
        status = os.fstat(handle)
        _check(name, status, limit)
        if accept is not None:
            accept(status)
        yield file


class Content(Protocol):
    """A file's bytes: all of them, or a file from which they are read (FileBytes)."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...


def sha256_of(content: Content) -> str:
    """In hexadecimal digits; of a file only a part is in memory at a time."""
    digest = hashlib.sha256()
    for first in range(0, len(content), _PART_BYTES):
        digest.update(content[first : first + _PART_BYTES])
    return digest.hexdigest()


class FileBytes:
    """An open file as if it were bytes; only what is looked at is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        first, last, _ = part.indices(self._size)
        self._file.seek(first)
        return self._file.read(max(0, last - first))


def _check(name: str, status: os.stat_result, limit: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", name)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no ordinary file", name)
    if status.st_size > limit:
        raise _too_large(name, limit)


def _too_large(name: str, limit: int) -> OSError:
    shown = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit >> 10} KiB"
    return OSError(errno.EFBIG, f"it is larger than {shown}", name)
