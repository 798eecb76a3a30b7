"""Reads the constants of an OpenVINO network file with the standard library and numpy.

An OpenVINO intermediate representation (IR) is a pair of files: ``NAME.xml`` describes the graph,
``NAME.bin`` holds the constants one after the other. OpenVINO itself is not needed to read them.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photorig.shared.errors import ModelError

_FLOAT_TYPES: dict[str, np.dtype] = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2")}


@dataclass(frozen=True)
class NamedConstant:
    """One float constant of a graph.

    Attributes:
        name: the tensor name that the exporter kept (``m.layers.3.conv1.bias``), or the layer name.
        values: a read-only float32 array in the shape that the graph gives it.
    """

    name: str
    values: np.ndarray


def read_constants(description: Path) -> list[NamedConstant]:
    """All float constants of an IR, in file order, which is the graph's topological order.

    Args:
        description: path of the ``.xml`` file; the ``.bin`` file lies beside it.

    Raises:
        ModelError: a file is missing, is not an IR, or names data beyond the end of the ``.bin``.
    """
    blob_path = description.with_suffix(".bin")
    try:
        layers = ElementTree.parse(description).getroot().find("layers")
        blob = blob_path.read_bytes()
    except (OSError, ElementTree.ParseError) as error:
        raise ModelError(
            f"the network {description.name} cannot be read: {error}",
            "Run 'photorig models verify' to fetch it again.",
        ) from error
    if layers is None:
        raise ModelError(f"{description.name} is not an OpenVINO network")
    constants = []
    for layer in layers:
        data = layer.find("data")
        if layer.get("type") != "Const" or data is None:
            continue
        dtype: np.dtype | None = _FLOAT_TYPES.get(data.get("element_type", ""))
        if dtype is not None:
            constants.append(NamedConstant(_tensor_name(layer), _read_values(data, dtype, blob)))
    return constants


def _tensor_name(layer: ElementTree.Element) -> str:
    port = layer.find("output/port")
    names = port.get("names") if port is not None else None
    return names.split(",")[0] if names else layer.get("name", "")


def _read_values(data: ElementTree.Element, dtype: np.dtype, blob: bytes) -> np.ndarray:
    shape = [int(side) for side in data.get("shape", "").replace(" ", "").split(",") if side]
    offset, size = int(data.get("offset", "0")), int(data.get("size", "0"))
    if offset < 0 or offset + size > len(blob) or size != dtype.itemsize * int(np.prod(shape)):
        raise ModelError(
            "a network's data file does not match its description",
            "Run 'photorig models verify' to fetch both again.",
        )
    values = np.frombuffer(blob, dtype, size // dtype.itemsize, offset).reshape(shape)
    return values.astype(np.float32, copy=False)
