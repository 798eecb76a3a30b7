"""A stranger's portrait is refused with a sentence, or drawn in a time that its size explains."""

from __future__ import annotations

import json
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from photorig.shared.errors import InputError
from photorig.shared.files.portrait_layout import (
    LONGEST_NAME,
    check_alignment,
    name_to_keep,
    plain_png,
    png_size,
    read_header,
    read_layout,
)
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.face_geometry import FORM
from photorig.worker.portraits.portrait import Portrait

from ..fakes import tiny_portrait

GOOD = tiny_portrait().to_bytes()


def changed(edit: Callable[[dict[str, np.ndarray], dict[str, Any]], None]) -> bytes:
    """A portrait file whose arrays and metadata were edited, whatever comes of it."""
    arrays, metadata = load(GOOD), read_header(GOOD)[0]
    edit(arrays, metadata)
    return save(arrays, {"photorig": json.dumps(metadata)})


def with_array(name: str, array: np.ndarray) -> bytes:
    return changed(lambda arrays, _: arrays.__setitem__(name, array))


def with_metadata(**values: object) -> bytes:
    return changed(lambda _, metadata: metadata.update(values))


def with_header(text: bytes) -> bytes:
    (length,) = struct.unpack_from("<Q", GOOD)
    return struct.pack("<Q", len(text)) + text + GOOD[8 + length :]


def png_of(width: int, height: int, depth: int = 8, colours: int = 2) -> bytes:
    """A PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0))
    rows = zlib.compress(b"\0" * ((width * 3 + 1) * height))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def with_photo(png: bytes) -> bytes:
    return with_array("photo.png", np.frombuffer(png, np.uint8))


def square(side: float, x: float = 20, y: float = 20) -> np.ndarray:
    """The alignment of an upright square with its middle at (x, y)."""
    return np.array([[1 / side, 0, 0.5 - x / side], [0, 1 / side, 0.5 - y / side]])


HOSTILE = {
    "a name of 70,000 letters": lambda: with_metadata(name="x" * 70_000),
    "a name of 6,000 emoji": lambda: with_metadata(name="😀" * 6000),
    "a name just too long": lambda: with_metadata(name="x" * (LONGEST_NAME + 1)),
    "a name of several lines": lambda: with_metadata(name="x\n2031 ERROR forged"),
    "a name that is no text": lambda: with_metadata(name=["x"]),
    "a name of half characters": lambda: with_metadata(name="\ud800"),
    "a long model": lambda: with_metadata(model_id="x" * 70_000),
    "a long parameter": lambda: with_metadata(parameter_ids=["x" * 70_000, *FACE_SCHEMA.ids[1:]]),
    "a parameter twice": lambda: with_metadata(parameter_ids=["jawOpen"] * len(FACE_SCHEMA)),
    "a parameter without a name": lambda: with_metadata(parameter_ids=list(FACE_SCHEMA.ids[1:])),
    "parameters by number": lambda: with_metadata(parameter_ids=list(range(len(FACE_SCHEMA)))),
    "a photo of one pixel": lambda: with_photo(png_of(1, 1)),
    "a photo of one column": lambda: with_photo(png_of(1, 2_000_000)),
    "a photo of no size": lambda: with_photo(png_of(0, 0)),
    "a photo of 144 megapixels": lambda: with_photo(png_of(12_000, 12_000)),
    "a photo of 16 bits": lambda: with_photo(png_of(64, 64, depth=16)),
    "a photo that is no PNG": lambda: with_photo(b"GIF89a" + bytes(100)),
    "a photo that ends": lambda: with_photo(png_of(64, 64)[:-20]),
    "a damaged photo": lambda: with_photo(png_of(64, 64)[:50] + b"x" + png_of(64, 64)[51:]),
    "a tiny alignment": lambda: with_array("alignment", square(1 / 1.1e-6)),
    "a face of no size": lambda: with_array("alignment", square(1e-3)),
    "a face far away": lambda: with_array("alignment", square(20, 1e7)),
    "a stretched face": lambda: with_array("alignment", square(20) * [[1], [1e-3]]),
    "a slightly stretched face": lambda: with_array("alignment", square(20) * [[1], [0.5]]),
    "an alignment without inverse": lambda: with_array("alignment", np.zeros((2, 3))),
    "a complex alignment": lambda: with_array("alignment", square(20).astype(np.complex64)),
    "an alignment of float32": lambda: with_array("alignment", square(20).astype(np.float32)),
    "parameters of float64": lambda: with_array("parameters", np.zeros(58)),
    "parameters of int8": lambda: with_array("parameters", np.zeros(58, np.int8)),
    "no parameters": lambda: with_array("parameters", np.zeros(0, np.float32)),
    "2 million parameters": lambda: with_array("parameters", np.zeros(2_000_000, np.float32)),
    "endless parameters": lambda: with_array("parameters", np.full(58, 1e30, np.float32)),
    "latents of another kind": lambda: with_array("latents", np.zeros((16, 512), np.float16)),
    "a thousand latents": lambda: with_array("latents", np.zeros((1000, 512), np.float32)),
    "huge latents": lambda: with_array("latents", np.full((16, 512), 1e20, np.float32)),
    "a thousand arrays": lambda: changed(
        lambda arrays, _: arrays.update({f"a{n}": np.zeros(1, np.float32) for n in range(1000)})
    ),
    "lids of floats": lambda: with_array("lids.skin", np.zeros((2, 96, 160, 3), np.float32)),
    "eyeballs of floats": lambda: with_array("eyeballs.iris", np.zeros((2, 80, 80, 3), np.float32)),
    "a mouth of floats": lambda: with_array("mouth.picture", np.zeros((9, 9, 3), np.float32)),
    "a deep header": lambda: with_header(b"[" * 100_000),
    "deep metadata": lambda: with_header(
        json.dumps({"__metadata__": {"photorig": "[" * 100_000}}).encode()
    ),
    "metadata of lists": lambda: with_header(b'{"__metadata__":[[[[[[]]]]]]}'),
    "an array at minus one": lambda: with_header(
        b'{"__metadata__":{"photorig":"{\\"format\\":\\"photorig.portrait\\",\\"version\\":1}"},'
        b'"alignment":{"dtype":"F64","shape":[2,3],"data_offsets":[-48,0]}}'
    ),
    "an array of endless size": lambda: with_header(
        b'{"__metadata__":{"photorig":"{\\"format\\":\\"photorig.portrait\\",\\"version\\":1}"},'
        b'"alignment":{"dtype":"F64","shape":[1e400,3],"data_offsets":[0,48]}}'
    ),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_sent_or_drawn_is_refused(make: Callable[[], bytes]) -> None:
    content = make()
    started = time.thread_time()
    with pytest.raises(InputError, match="portrait"):
        Portrait.from_bytes(content)
    assert time.thread_time() - started < 2


GEOMETRY = {
    "turned": np.tile(np.linspace(-1, 1, 5, dtype=np.float32), (2, 1)),
    "poses": np.zeros((5, 5, 478, 3), np.float32),
    "amounts": np.ones(1, np.float32),
    "moves": np.zeros((52, 1, 478, 3), np.float16),
    "gains": np.ones(52, np.float32),
}


def with_geometry(**arrays: np.ndarray) -> bytes:
    def edit(tensors: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
        metadata |= {"geometry_for": "tiny", "geometry_form": FORM}
        tensors |= {f"geometry.{name}": array for name, array in (GEOMETRY | arrays).items()}

    return changed(edit)


def test_a_geometry_that_can_be_used_is_taken() -> None:
    assert Portrait.from_bytes(with_geometry()).geometry is not None


@pytest.mark.parametrize(
    "arrays",
    [
        {"poses": np.full((5, 5, 478, 3), 1e30, np.float32)},
        {"poses": np.zeros((5, 5, 478, 3), np.float64)},
        {"moves": np.full((52, 1, 478, 3), 6e4, np.float16)},
        {"moves": np.zeros((52, 1, 478, 3), np.float32)},
        {"moves": np.zeros((0, 1, 478, 3), np.float16)},
        {"moves": np.zeros((1000, 1, 478, 3), np.float16)},
        {"moves": np.zeros((52, 0, 478, 3), np.float16), "amounts": np.ones(0, np.float32)},
        {"amounts": np.full(1, 1e30, np.float32)},
        {"turned": np.zeros((2, 5), np.float32)},
        {"gains": np.full(52, 1e30, np.float32)},
        {"turned": GEOMETRY["turned"] * np.float32(1e30)},
    ],
    ids=lambda arrays: " ".join(f"{name} {array.dtype}" for name, array in arrays.items()),
)
def test_a_geometry_that_no_face_has_is_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError):
        Portrait.from_bytes(with_geometry(**arrays))


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert Portrait.from_bytes(with_array("hair.strands", np.zeros(3, np.int64)))


def test_a_name_that_is_too_long_is_shortened_when_a_portrait_is_made() -> None:
    portrait = replace(tiny_portrait(), name="a\nb\ud800" + "x" * 1000)
    assert Portrait.from_bytes(portrait.to_bytes()).name == name_to_keep(portrait.name)
    assert len(name_to_keep(portrait.name)) == LONGEST_NAME
    assert name_to_keep("Zoë\u202fAM 😀") == "Zoë\u202fAM 😀"


def test_a_photo_keeps_nothing_but_its_pixels() -> None:
    png = png_of(64, 48)
    text = b"tEXtkey\0value"
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    assert plain_png(png[:33] + chunk + png[33:] + b"behind the end") == png
    assert png_size(png) == (64, 48)


@pytest.mark.parametrize("make", [lambda n: b"[" * n, lambda n: b'"' * n, lambda n: b'{"a":' * n])
def test_a_header_costs_no_more_than_its_length(make: Callable[[int], bytes]) -> None:
    def seconds(text: bytes, times: int) -> float:
        content, tries = struct.pack("<Q", len(text)) + text, []
        for _ in range(5):
            started = time.thread_time()
            for _ in range(times):
                with pytest.raises((ValueError, InputError)):
                    read_layout(content)
            tries.append(time.thread_time() - started)
        return min(tries)

    ratios = []
    for _ in range(3):
        long, short = seconds(make(1 << 16), 1), seconds(make((1 << 16) // 10), 10)
        ratios.append(long / max(short, 1e-4))
    assert min(ratios) < 4


@pytest.mark.parametrize(
    ("width", "height", "side", "x", "y"),
    [
        (16, 3000, 11_000, 8, 6000),
        (3000, 16, 11_000, 0, 8),
        (16, 16, 90, -30, 8),
        (1, 1, 1, 0.5, 0.5),
        (1, 3000, 100, 0.5, 50),
        (2, 2, 1e6, 1, 1),
        (64, 64, 64, 1e7, 0),
    ],
)
def test_a_crop_far_outside_of_a_small_photo_takes_no_time(
    width: int, height: int, side: float, x: float, y: float
) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    started = time.thread_time()
    assert Alignment(square(side, x, y)).crop(photo, 256).shape == (256, 256, 3)
    assert time.thread_time() - started < 3


def test_faces_as_photos_have_them_are_taken() -> None:
    for side, x, y in ((16, 0, 0), (4000, 2000, 1500), (9000, 2000, 1500), (300, -100, -100)):
        check_alignment(square(side, x, y), 4000, 3000)
    tilted = np.array([[0.6, 0.8, 0], [-0.8, 0.6, 0]]) / 500
    check_alignment(tilted, 4000, 3000)
