"""Files that are there complete or not at all, and sentences for what prevents it."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from .errors import InputError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file in one step: it is there complete, or not at all.

    Raises:
        InputError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.part")
    with explained(path):
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


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
        raise InputError(
            f"Cannot write {str(path)!r}: {error.strerror}",
            "Check the output folder and its permissions.",
        ) from error
