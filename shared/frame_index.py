"""Remembers beside the frames which request each file answers, so that none is rendered twice."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

from .errors import InputError
from .messages import FrameRequest

INDEX_NAME = "photorig_frames.json"
_VERSION = 1


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


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file in one step: it is there complete, or not at all.

    Raises:
        InputError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(
                f"The disk of {str(path.parent)!r} is full",
                "Finished frames are safe: free some space and render again.",
            ) from error
        raise InputError(
            f"Cannot write {str(path)!r}: {error.strerror}",
            "Check the output folder and its permissions.",
        ) from error


class FrameIndex:
    """The frames of one folder: which request and how many bytes each finished file has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries = _read_entries(folder / INDEX_NAME)

    def is_finished(self, frame: int, key: str, layer: str = "") -> bool:
        """Whether the file of this frame is there, whole, and answers this very request."""
        name = file_name(frame, layer)
        entry = self._entries.get(name)
        if entry is None or entry.get("request") != key:
            return False
        try:
            return (self.folder / name).stat().st_size == entry.get("bytes")
        except OSError:
            return False

    def store(self, frame: int, key: str, content: bytes, layer: str = "") -> None:
        """Write one finished frame. Call ``save`` after a few. Raises InputError."""
        name = file_name(frame, layer)
        write_atomically(self.folder / name, content)
        self._entries[name] = {"request": key, "bytes": len(content)}

    def save(self) -> None:
        """Write the index. Raises InputError."""
        content = {"version": _VERSION, "frames": dict(sorted(self._entries.items()))}
        write_atomically(self.folder / INDEX_NAME, json.dumps(content, indent=1).encode())


def _read_entries(path: Path) -> dict[str, dict[str, object]]:
    """A missing or damaged index is an empty one: its frames are rendered again."""
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != _VERSION:
            return {}
        return {
            str(name): dict(entry)
            for name, entry in content["frames"].items()
            if isinstance(entry, dict)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
