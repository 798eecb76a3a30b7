"""Files of other programs, opened: what kind they are, and the object that they hold.

A file is mapped, not read: only what is used takes memory.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photorig.shared.errors import InputError, ModelError

from .pickled import Made, read_pickle
from .records import array_of, read_torch_stream

_MOST_BYTES = 16 << 30
_MOST_MEMBERS = 100_000
_LOCAL_HEADER = 30

_OTHER_KINDS = {
    b"\x89HDF": "an HDF5 file (Keras or h5py)",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"<!DOCTYPE": "a web page, not the file that it leads to",
    b"<html": "a web page, not the file that it leads to",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself",
    b"GGUF": "a GGUF file (language model)",
    b"TFL3": "a TensorFlow Lite file",
}
"""First bytes → what the file is."""


@dataclass(frozen=True, eq=False)
class ForeignFile:
    """A file whose pickle has been read as data.

    Attributes:
        content: the object in it, as `read_pickle` gives it.
        storages: bytes of torch's storages by key.
    """

    content: object
    storages: dict[str, memoryview]

    def array(self, value: object) -> np.ndarray | None:
        """Numbers of a tensor in ``content``; None where it is none. Raises ModelError."""
        return array_of(value, self.storages)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[ForeignFile]:
    """A checkpoint, open while the block lasts; arrays of it must not be used any longer.

    Raises:
        InputError: it cannot be read, or is no checkpoint; the sentence names what was found.
    """
    with _mapped(path) as data:
        try:
            file = read_foreign(data)
        except ModelError as error:
            raise InputError(
                f"{path.name} cannot be imported: {error.message}",
                error.hint or "Give a .pkl or .pt file as its authors publish it.",
            ) from error
        yield file


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[memoryview]:
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device is not even opened
            raise InputError(f"{path} is no file", "Give the checkpoint's file.")
        handle = os.open(path, flags)
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!r}: {error.strerror}") from error
    with os.fdopen(handle, "rb"):
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= _MOST_BYTES:
            raise InputError(f"{path.name} cannot be imported: it has {status.st_size} bytes")
        whole = mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
        data = memoryview(whole)
        try:
            yield data
        finally:
            # What still looks at the file keeps it mapped, until that is gone as well.
            with contextlib.suppress(BufferError):
                data.release()
                whole.close()


def read_foreign(data: memoryview) -> ForeignFile:
    """What the bytes of a checkpoint hold. Raises ModelError."""
    start = bytes(data[:32])
    if start.startswith(b"PK\x03\x04"):
        return _read_zip(data)
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        content, _ = read_pickle(data)
        if isinstance(content, int):
            return ForeignFile(*read_torch_stream(data)[:2])
        return ForeignFile(content, {})
    for magic, kind in _OTHER_KINDS.items():
        if start.startswith(magic) or start[4:].startswith(magic):
            raise ModelError(f"it is {kind}")
    if len(start) > 9 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < len(data):
        raise ModelError("it is a safetensors file, which no StyleGAN2 is published as")
    if start[257:262] == b"ustar" or bytes(data[257:262]) == b"ustar":
        raise ModelError("it is a tar archive: unpack it first")
    raise ModelError(f"it begins with the bytes {start[:8].hex(' ')}, as no checkpoint does")


def _read_zip(data: memoryview) -> ForeignFile:
    """torch's format since version 1.6: ``NAME/data.pkl`` and ``NAME/data/KEY``, not compressed."""
    try:
        with zipfile.ZipFile(_Seekable(data)) as archive:
            members = {member.filename: member for member in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
        raise ModelError("it is a damaged zip archive, or one whose end is missing") from error
    if len(members) > _MOST_MEMBERS:
        raise ModelError(f"it is a zip archive of {len(members)} files")
    roots = [n.removesuffix("data.pkl") for n in members if n.endswith("/data.pkl")]
    if len(roots) != 1:
        raise ModelError("it is a zip archive, but not of torch: unpack it first")
    root = roots[0]
    if any(name.startswith(f"{root}code/") for name in members):
        raise ModelError("it is a TorchScript program, not a checkpoint")
    if (
        f"{root}byteorder" in members
        and bytes(_member(data, members[f"{root}byteorder"])) == b"big"
    ):
        raise ModelError("it was written on a computer with the other order of bytes")
    content, _ = read_pickle(_member(data, members[f"{root}data.pkl"]))
    prefix = f"{root}data/"
    storages = {
        name.removeprefix(prefix): _member(data, member)
        for name, member in members.items()
        if name.startswith(prefix)
    }
    return ForeignFile(content, storages)


def _member(data: memoryview, member: zipfile.ZipInfo) -> memoryview:
    """The bytes of a member where they lie. Raises ModelError."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise ModelError("it is a compressed or encrypted zip archive, which torch never writes")
    start, size = member.header_offset, member.file_size
    header = data[start : start + _LOCAL_HEADER]
    if start < 0 or len(header) < _LOCAL_HEADER or bytes(header[:4]) != b"PK\x03\x04":
        raise ModelError("it is a damaged zip archive")
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    begin = start + _LOCAL_HEADER + name_length + extra_length
    if size != member.compress_size or begin + size > len(data):
        raise ModelError("it is a zip archive whose end is missing")
    return data[begin : begin + size]


class _Seekable:
    """As much of a file as `zipfile` needs, over bytes that are there already."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self._at, 2: len(self._data)}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        end = len(self._data) if count < 0 else min(len(self._data), self._at + count)
        part = bytes(self._data[self._at : end])
        self._at = max(self._at, end)
        return part


def described(content: object) -> str:
    """What an object is, in a few words for a person."""
    if isinstance(content, Made):
        return f"an object of {content.name[:80] or 'no class'}"
    if isinstance(content, dict):
        keys = [str(key)[:40] for key in list(content)[:4]]
        more = f" and {len(content) - 4} more" if len(content) > 4 else ""
        return f"a dictionary of {', '.join(keys) or 'nothing'}{more}"
    return f"an object of {type(content).__name__}"
