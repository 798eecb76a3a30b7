"""The extension reads portraits of strangers on Blender's main thread: quickly, or not at all."""

from __future__ import annotations

import gzip
import json
import os
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from card_server import SIZE, portrait_bytes
from safetensors.numpy import load, save

from photorig.shared.files.portrait_layout import read_header

GOOD = portrait_bytes(1)
CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"


def changed(edit: Callable[[dict[str, np.ndarray], dict[str, Any]], None]) -> bytes:
    arrays, metadata = load(GOOD), read_header(GOOD)[0]
    edit(arrays, metadata)
    return save(arrays, {"photorig": json.dumps(metadata)})


def with_array(name: str, array: np.ndarray) -> bytes:
    return changed(lambda arrays, _: arrays.__setitem__(name, array))


def chunk(kind: bytes, data: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc


def with_size(width: int, height: int) -> bytes:
    """A photo that says that it has so many pixels."""
    png = bytes(load(GOOD)["photo.png"])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return with_array("photo.png", np.frombuffer(png[:8] + header + png[33:], np.uint8))


def read(addon: SimpleNamespace, path: Path) -> Any:
    return addon.portrait_file.read_portrait(path)


def test_a_good_portrait_is_read(addon: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "x.portrait"
    path.write_bytes(GOOD)
    portrait = read(addon, path)
    assert (portrait.name, portrait.photo_size) == ("Nobody 1", (SIZE, SIZE))
    assert portrait.content == GOOD
    assert portrait.photo_png == bytes(load(GOOD)["photo.png"])


def test_blender_gets_nothing_of_a_photo_but_its_pixels(
    addon: SimpleNamespace, tmp_path: Path
) -> None:
    png = bytes(load(GOOD)["photo.png"])
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(10_000)))
    more = png[:33] + profile + chunk(b"zTXt", b"x\0\0" + bytes(50)) + png[33:] + b"behind"
    path = tmp_path / "x.portrait"
    path.write_bytes(with_array("photo.png", np.frombuffer(more, np.uint8)))
    assert read(addon, path).photo_png == png


HOSTILE = {
    "144 megapixels": lambda: with_size(12_000, 12_000),
    "one column": lambda: with_size(1, 2_000_000),
    "another picture": lambda: with_array("photo.png", np.frombuffer(b"BM" + bytes(90), np.uint8)),
    "no picture": lambda: with_array("photo.png", np.zeros(0, np.uint8)),
    "a face of no size": lambda: with_array("alignment", np.full((2, 3), 1e-6)),
    "a face far away": lambda: with_array(
        "alignment", np.array([[1 / 64, 0, 1e6], [0, 1 / 64, 0]])
    ),
    "a name of 70,000 letters": lambda: changed(lambda _, data: data.update(name="x" * 70_000)),
    "a name of two lines": lambda: changed(lambda _, data: data.update(name="x\ny")),
    "2 million parameters": lambda: with_array("parameters", np.zeros(2_000_000, np.float32)),
    "a portrait of another format": lambda: changed(lambda _, data: data.update(version=99)),
    "a crash": lambda: gzip.decompress((CORPUS / "portrait" / "nested-header.gz").read_bytes()),
    "another crash": lambda: gzip.decompress(
        (CORPUS / "portrait" / "nested-metadata.gz").read_bytes()
    ),
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_what_no_worker_would_take_is_refused(
    addon: SimpleNamespace, tmp_path: Path, make: Callable[[], bytes]
) -> None:
    path = tmp_path / "x.portrait"
    path.write_bytes(make())
    with pytest.raises(addon.errors.InputError, match=r"x\.portrait"):
        read(addon, path)


@pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")
@pytest.mark.parametrize("kind", ["pipe", "zero", "folder"])
def test_what_is_no_file_does_not_stop_blender(
    addon: SimpleNamespace, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "x.portrait"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    refused = []

    def try_it() -> None:
        try:
            read(addon, path)
        except addon.errors.InputError as error:
            refused.append(str(error))

    reader = threading.Thread(target=try_it, daemon=True)
    reader.start()
    reader.join(5)
    assert len(refused) == 1
    assert "Cannot read" in refused[0]
