"""Writes safetensors tensor by tensor: a network of a gigabyte takes the memory of a layer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from photorig.shared.files.writing import replacing


def write_safetensors(
    path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> tuple[str, int]:
    """Write arrays as float32, in one step.

    Returns:
        SHA-256 (hex) of the file and its bytes.

    Raises:
        InputError: it cannot be written; then there is no file.
        ValueError: a value is not finite.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, values in tensors.items():
        size = 4 * values.size
        shape = list(values.shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    digest, length = hashlib.sha256(), 0
    with replacing(path) as file:

        def write(content: bytes | memoryview) -> None:
            nonlocal length
            digest.update(content)
            file.write(content)
            length += len(content)

        write(len(text).to_bytes(8, "little") + text)
        for values in tensors.values():
            write(_as_bytes(values))
    return digest.hexdigest(), length


def _as_bytes(values: np.ndarray) -> memoryview:
    values = np.ascontiguousarray(values, "<f4")
    if not np.isfinite(values).all():
        raise ValueError("a value is not a finite number")
    return values.reshape(-1).data.cast("B")
