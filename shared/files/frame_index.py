"""Remembers beside the frames which request each file answers, so that none is rendered twice.

The index is a journal: a line is added for each file once that file is complete, so whatever ends
the program, what was finished is known. A journal that is damaged is set aside and made again of
what it still says and of what the pictures say themselves, see request_mark.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from ..errors import InputError
from ..wire.messages import FrameRequest
from .reading import read_file
from .request_mark import SUFFIXES, marked, read_mark
from .strict_json import parse_json
from .writing import append, sweep, write_atomically

INDEX_NAME = "photorig_frames.jsonl"
DAMAGED_NAME = "photorig_frames.damaged.jsonl"
"""Of a journal that could not be read, kept for whoever wants to know."""
_MANY_LINES = 200
_MAXIMUM_BYTES = 32 << 20
_MOST_DAMAGED = 1000
"""Lines; after these it is no journal of ours."""
_LONGEST_LINE = 4096
_GREATEST_FILE = 1 << 40
_START = b'{"file": '

Entries = dict[str, tuple[str, int]]
"""Request and size by file."""


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
    """The frames of one folder: which request and how many bytes each finished file has.

    Args:
        many_write: whether other computers add frames meanwhile, so that the journal may not yet
            tell of a file, or never does; its own mark is asked then.
    """

    def __init__(self, folder: Path, *, many_write: bool = False) -> None:
        sweep(folder)
        self.folder, self._many_write = folder, many_write
        self._path = folder / INDEX_NAME
        self._entries, n_lines, self._ends_in_line, is_damaged = _read_entries(self._path)
        if is_damaged:
            self._make_again()
        elif n_lines > 2 * len(self._entries) + _MANY_LINES:
            self._compact()

    def is_finished(self, frame: int, key: str, layer: str = "") -> bool:
        """Whether the file of this frame is there, whole, and answers this very request."""
        return self.has(file_name(frame, layer), key)

    def has(self, name: str, key: str) -> bool:
        """Whether the file of this name is there, whole, and answers this very request."""
        path = self.folder / name
        request, n_bytes = self._entries.get(name, ("", 0))
        if request != key and self._many_write and path.suffix.lower() in SUFFIXES:
            request, n_bytes = read_mark(path) or ("", 0)
        if request != key:
            return False
        try:
            return path.stat().st_size == n_bytes
        except OSError:
            return False

    def store(self, frame: int, key: str, content: bytes, layer: str = "") -> None:
        """Write one finished frame. Raises InputError."""
        self.keep(file_name(frame, layer), key, content)

    def keep(self, name: str, key: str, content: bytes) -> None:
        """Write a finished file of this name. Raises InputError."""
        content = marked(content, key)
        write_atomically(self.folder / name, content)
        line = _line(name, key, len(content))
        # A full disk may have left the beginning of a line behind.
        start = b"" if self._ends_in_line else b"\n"
        self._ends_in_line = False
        append(self._path, start + line)
        self._ends_in_line = True
        self._entries[name] = (key, len(content))

    def _make_again(self) -> None:
        """Set a damaged journal aside; where that is forbidden it is only added to."""
        with contextlib.suppress(OSError):
            for path in sorted(self.folder.iterdir()):
                found = read_mark(path) if path.suffix.lower() in SUFFIXES else None
                if found is not None:
                    self._entries.setdefault(path.name, found)
            self._path.replace(self.folder / DAMAGED_NAME)
            self._compact()

    def _compact(self) -> None:
        """Leave out what later lines have replaced; without room it stays as it is."""
        lines = [_line(name, *entry) for name, entry in sorted(self._entries.items())]
        with contextlib.suppress(InputError):
            write_atomically(self._path, b"".join(lines))
            self._ends_in_line = True


def _line(name: str, key: str, n_bytes: int) -> bytes:
    return json.dumps({"file": name, "request": key, "bytes": n_bytes}).encode() + b"\n"


def _read_entries(path: Path) -> tuple[Entries, int, bool, bool]:
    """Entries, the number of lines, whether the last one is complete, and whether all is damaged.

    A line that cannot be read is left out. The last one may have been cut short; that is no damage.
    """
    entries: Entries = {}
    try:
        content = read_file(path, _MAXIMUM_BYTES)
    except FileNotFoundError:
        return entries, 0, True, False
    except OSError:
        return entries, 0, True, True
    lines = content.split(b"\n")
    ends_in_line = not lines[-1]
    if ends_in_line:
        del lines[-1]
    n_damaged = 0
    for line in filter(None, lines):
        try:
            name, entry = _read_line(line)
            entries[name] = entry
        except (ValueError, KeyError, TypeError):
            n_damaged += not _was_cut(line)
            if n_damaged > _MOST_DAMAGED:
                break
    return entries, len(lines), ends_in_line, n_damaged > 0


def _read_line(line: bytes) -> tuple[str, tuple[str, int]]:
    """Raises ValueError, KeyError or TypeError."""
    fields = parse_json(line, _LONGEST_LINE)
    name, key, n_bytes = fields["file"], fields["request"], fields["bytes"]
    if not (isinstance(name, str) and isinstance(key, str) and type(n_bytes) is int):
        raise TypeError("a line of another program")
    # It becomes a path in the folder, and nowhere else.
    if not name or set(name) & set("/\\\0") or name in (".", ".."):
        raise ValueError("no name of a file")
    if not 0 <= n_bytes < _GREATEST_FILE:
        raise ValueError("no size of a file")
    return name, (key, n_bytes)


def _was_cut(line: bytes) -> bool:
    """Whether it is the beginning of a line of ours, left by a program that was ended."""
    return b"}" not in line and (line.startswith(_START) or _START.startswith(line))
