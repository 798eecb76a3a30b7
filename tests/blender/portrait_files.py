"""Portrait and PNG files with what Blender's Python has: no safetensors, no Pillow."""

from __future__ import annotations

import importlib
import json
import struct
import zlib
from pathlib import Path

import bpy
import numpy as np


def write_portrait(
    path: Path,
    schema_hash: str,
    name: str = "Test Face",
    seed: int = 0,
    parameters: np.ndarray | None = None,
    photo: np.ndarray | None = None,
    alignment: np.ndarray | None = None,
    reach: tuple[np.ndarray, np.ndarray] | None = None,
) -> Path:
    """A complete .portrait file with random content and a photo of 40 × 30 pixels.

    Args:
        photo: (h, w, 3) uint8, and
        alignment: (2, 3) photo pixels to the unit square of the face, where they matter.
        parameters: (n,) pose and expression in the photo, coefficients as amounts; a face at rest
            where none are given.
        reach: (n,), (n,) lowest and highest values that the face shows with "its bundle".
    """
    random = np.random.default_rng(seed)
    if photo is None:
        photo = random.integers(0, 256, (30, 40, 3), np.uint8)
    if alignment is None:
        alignment = np.array([[1 / 30, 0, 0], [0, 1 / 30, 0]])
    tensors = {
        "latents": random.normal(size=(16, 512)).astype(np.float32),
        "parameters": np.zeros(58, np.float32) if parameters is None else _read(parameters),
        "alignment": alignment.astype(np.float64),
        "photo.png": np.frombuffer(png_bytes(photo), np.uint8),
    }
    metadata = {
        "format": "photorig.portrait",
        "version": 1,
        "model_id": "card",
        "schema_hash": schema_hash,
        "name": name,
    }
    if reach is not None:
        metadata["response_to"] = "its bundle"
        tensors |= {"response.lowest": _read(reach[0]), "response.highest": _read(reach[1])}
    path.write_bytes(_safetensors(tensors, json.dumps(metadata)))
    return path


def _read(amounts: np.ndarray) -> np.ndarray:
    """What Net3D reads of a face that shows amounts (n,): that is what files keep."""
    module = importlib.import_module("bl_ext.user_default.photorig.shared.parameters.arkit_amounts")
    return np.asarray(module.readings_of(amounts), np.float32)


def _safetensors(tensors: dict[str, np.ndarray], metadata: str) -> bytes:
    types = {"float32": "F32", "float64": "F64", "uint8": "U8"}
    header: dict[str, object] = {"__metadata__": {"photorig": metadata}}
    content = b""
    for name, tensor in tensors.items():
        start, content = len(content), content + tensor.tobytes()
        header[name] = {
            "dtype": types[str(tensor.dtype)],
            "shape": tensor.shape,
            "data_offsets": [start, len(content)],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content


def png_bytes(image: np.ndarray) -> bytes:
    """An (h, w, 3) uint8 image as a PNG file."""
    height, width = image.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def read_pixels(path: Path) -> np.ndarray:
    """The bytes of an 8-bit image file, (h, w, 3) uint8 with rows from the top."""
    image = bpy.data.images.load(str(path), check_existing=False)
    try:
        width, height = image.size
        values = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(values)
    finally:
        bpy.data.images.remove(image)
    pixels = np.rint(values.reshape(height, width, 4)[::-1, :, :3] * 255)
    return pixels.astype(np.uint8)
