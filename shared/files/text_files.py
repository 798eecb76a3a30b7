"""Text files that people give: read by their marks, or refused with the right reason.

Windows' own tools write UTF-16 and set a mark at the start (``>`` in PowerShell, "Unicode" in
Notepad); older ones write Latin letters without one, which cannot be told from each other.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from ..errors import InputError
from .reading import read_file

MAX_BYTES = 1 << 30
_MARKS = {
    # Before UTF-16, whose mark is how this one begins.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_AGAIN = "Save it as UTF-8."


def read_any_text(path: Path, hint: str = "", limit: int = MAX_BYTES) -> str:
    """The text of a file, its line ends as ``\\n``.

    Args:
        hint: what to give instead, for the sentence about a file that is none.
        limit: bytes that it may have.

    Raises:
        InputError: it cannot be read, is too large, or is no text that can be told.
    """
    try:
        content = read_file(path, limit)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}", hint) from error
    try:
        text = _decoded(content)
    except UnicodeDecodeError as error:
        reason, remedy = _reason(content, error)
        raise InputError(f"Cannot read {path}: {reason}", remedy or hint) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(content: bytes) -> str:
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content:  # which UTF-8 takes, and no text has
        raise UnicodeDecodeError("utf-8", content, content.index(b"\0"), len(content), "a zero")
    return content.decode(encoding)


def _reason(content: bytes, error: UnicodeDecodeError) -> tuple[str, str]:
    """What is wrong, and what to do if that is known."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"it is damaged after {error.start} bytes", _AGAIN
    zeros = [content[start : 1 << 16 : 2].count(0) for start in (0, 1)]
    if max(zeros) > 0.4 * len(content[: 1 << 16]) / 2 and min(zeros) * 10 < max(zeros):
        return "it is UTF-16 without the mark that says so", _AGAIN
    if _CONTROLS.search(content):
        return "it is no text file", ""
    line = content.count(b"\n", 0, error.start) + 1
    letter = content[error.start]
    return f"line {line} has a letter (byte {letter:02X}) that is not UTF-8", _AGAIN
