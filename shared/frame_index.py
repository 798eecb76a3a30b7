"""Remembers beside the frames which request each file answers, so that none is rendered twice.

The index is a journal: a line is added for each file once that file is complete, so whatever ends
the program, what was finished is known.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from .errors import InputError
from .messages import FrameRequest
from .writing import append, sweep, write_atomically

INDEX_NAME = "photorig_frames.jsonl"
_MANY_LINES = 200


def file_name(frame: int, layer: str = "") -> str:
    """Of a frame, or of one of its layers: ``face`` or ``matte``."""
    return f"frame_{frame:04d}_{layer}.png" if layer else f"frame_{frame:04d}.png"


def picture_key(request: FrameRequest, model_id: str) -> str:
    """SHA-256 (hex) of all that a picture depends on: request and model, not the frame number."""
    digest = hashlib.sha256()
    portrait, parameters, size, mode, method = request.picture
    for part in (portrait, parameters.hex(), str(size), mode, method, model_id):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


class FrameIndex:
    """The frames of one folder: which request and how many bytes each finished file has."""

    def __init__(self, folder: Path) -> None:
        sweep(folder)
        self.folder = folder
        self._path = folder / INDEX_NAME
        self._entries, n_lines, self._ends_in_line = _read_entries(self._path)
        if n_lines > 2 * len(self._entries) + _MANY_LINES:
            self._compact()

    def is_finished(self, frame: int, key: str, layer: str = "") -> bool:
        """Whether the file of this frame is there, whole, and answers this very request."""
        return self.has(file_name(frame, layer), key)

    def has(self, name: str, key: str) -> bool:
        """Whether the file of this name is there, whole, and answers this very request."""
        request, n_bytes = self._entries.get(name, ("", 0))
        if request != key:
            return False
        try:
            return (self.folder / name).stat().st_size == n_bytes
        except OSError:
            return False

    def store(self, frame: int, key: str, content: bytes, layer: str = "") -> None:
        """Write one finished frame. Raises InputError."""
        self.keep(file_name(frame, layer), key, content)

    def keep(self, name: str, key: str, content: bytes) -> None:
        """Write a finished file of this name. Raises InputError."""
        write_atomically(self.folder / name, content)
        line = _line(name, key, len(content))
        # A full disk may have left the beginning of a line behind.
        start = b"" if self._ends_in_line else b"\n"
        self._ends_in_line = False
        append(self._path, start + line)
        self._ends_in_line = True
        self._entries[name] = (key, len(content))

    def _compact(self) -> None:
        """Leave out what later lines have replaced; without room it stays as it is."""
        lines = [_line(name, *entry) for name, entry in sorted(self._entries.items())]
        with contextlib.suppress(InputError):
            write_atomically(self._path, b"".join(lines))
            self._ends_in_line = True


def _line(name: str, key: str, n_bytes: int) -> bytes:
    return json.dumps({"file": name, "request": key, "bytes": n_bytes}).encode() + b"\n"


def _read_entries(path: Path) -> tuple[dict[str, tuple[str, int]], int, bool]:
    """Request and size by file, the number of lines, and whether the last one is complete.

    A line that cannot be read is left out: its frame is rendered again.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return {}, 0, True
    entries: dict[str, tuple[str, int]] = {}
    lines = content.splitlines()
    for line in lines:
        try:
            fields = json.loads(line)
            entries[str(fields["file"])] = str(fields["request"]), int(fields["bytes"])
        except (ValueError, KeyError, TypeError):
            continue
    return entries, len(lines), not content or content.endswith(b"\n")
