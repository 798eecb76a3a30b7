"""Small networks as files, for readers of networks to begin with."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Flat:
    """A table of a FlatBuffer: by number of the field a number with its format character, a
    vector, a table, or a list of tables."""

    fields: Mapping[int, tuple[str, int] | np.ndarray | Flat | Sequence[Flat]] = field(
        default_factory=dict
    )

    def to_bytes(self) -> bytes:
        data = bytearray(4)
        struct.pack_into("<I", data, 0, self._written(data))
        return bytes(data)

    def _written(self, data: bytearray) -> int:
        """Appends it; returns where it lies. What it refers to comes after it, as offsets are
        counted forwards."""
        count = 1 + max(self.fields, default=-1)
        table_of_fields = len(data)
        data += struct.pack("<HH", 4 + 2 * count, 4 + 8 * len(self.fields)) + bytes(2 * count)
        data += bytes(-len(data) % 8 + 4)  # values of eight bytes lie at multiples of them
        place = len(data)
        data += struct.pack("<i", place - table_of_fields) + bytes(8 * len(self.fields))
        for index, (number, value) in enumerate(self.fields.items()):
            slot = place + 4 + 8 * index
            struct.pack_into("<H", data, table_of_fields + 4 + 2 * number, slot - place)
            if isinstance(value, tuple):
                struct.pack_into("<" + value[0], data, slot, value[1])
            else:
                _refer(data, slot, value)
        return place


def _refer(data: bytearray, slot: int, value: np.ndarray | Flat | Sequence[Flat]) -> None:
    data += bytes(-(len(data) + 4) % 8)
    if isinstance(value, Flat):
        struct.pack_into("<I", data, slot, value._written(data) - slot)
        return
    struct.pack_into("<I", data, slot, len(data) - slot)
    data += struct.pack("<I", len(value))
    if isinstance(value, np.ndarray):
        data += value.tobytes()
        return
    first = len(data)
    data += bytes(4 * len(value))
    for number, one in enumerate(value):
        _refer(data, first + 4 * number, one)


def _tensor(buffer: int, shape: Sequence[int], kind: int = 0) -> Flat:
    return Flat({0: np.array(shape, "<i4"), 1: ("b", kind), 2: ("I", buffer)})


def _operation(kind: int, inputs: Sequence[int], output: int, **options: tuple[str, int]) -> Flat:
    fields = {
        0: ("I", kind),
        1: np.array(inputs, "<i4"),
        2: np.array([output], "<i4"),
        4: Flat({int(name[1:]): value for name, value in options.items()}),
    }
    return Flat(fields)


def tflite() -> bytes:
    """A convolution whose weights are of half precision, a slope, padding, a mean and a shape."""
    random = np.random.default_rng(0)
    weights = random.normal(size=(2, 3, 3, 3)).astype("<f2")
    contents = [
        b"",
        weights.tobytes(),
        np.zeros(2, "<f4").tobytes(),
        np.array([0.1, 0.2], "<f4").tobytes(),
        np.array([[0, 0], [1, 1], [1, 1], [0, 0]], "<i4").tobytes(),
        np.array([1, 2], "<i4").tobytes(),
    ]
    buffers = [Flat({0: np.frombuffer(one, np.uint8)}) if one else Flat() for one in contents]
    tensors = [
        _tensor(0, (1, 6, 6, 3)),
        _tensor(1, (2, 3, 3, 3), 1),
        _tensor(0, (2, 3, 3, 3)),
        _tensor(2, (2,)),
        _tensor(3, (1, 1, 2)),
        _tensor(4, (4, 2), 2),
        _tensor(5, (2,), 2),
        *(_tensor(0, (1, 8, 8, 2)) for _ in range(4)),
    ]
    kinds = [6, 3, 54, 34, 40, 22]
    operations = [
        _operation(0, [1], 2),
        _operation(1, [0, 2, 3], 7, _0=("b", 0), _1=("i", 1), _2=("i", 1), _3=("b", 1)),
        _operation(2, [7, 4], 8),
        _operation(3, [8, 5], 9),
        _operation(4, [9, 6], 10, _0=("b", 1)),
    ]
    graph = Flat({0: tensors, 1: np.array([0], "<i4"), 2: np.array([10], "<i4"), 3: operations})
    codes = [Flat({0: ("b", code), 3: ("i", code)}) for code in kinds]
    return Flat({0: ("I", 3), 1: codes, 2: [graph], 4: buffers}).to_bytes()


def _text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def tfjs() -> tuple[bytes, bytes]:
    """A convolution with what may be folded into it, and the file of its weights."""
    ones = {"list": {"i": ["1"] * 4}}
    convolution = {
        "strides": ones,
        "dilations": ones,
        "padding": _text("SAME"),
        "data_format": _text("NHWC"),
    }
    size = {"shape": {"dim": [{"size": str(n)} for n in (-1, 6, 6, 3)]}}
    nodes = [
        {"name": "image", "op": "Placeholder", "attr": {"shape": size}},
        *({"name": name, "op": "Const"} for name in ("kernel", "scale", "six", "axes")),
        {"name": "a", "op": "Conv2D", "input": ["image", "kernel"], "attr": convolution},
        {"name": "b", "op": "Mul", "input": ["a", "scale"]},
        {"name": "c", "op": "Relu", "input": ["b"]},
        {"name": "d", "op": "Minimum", "input": ["c", "six"]},
        {"name": "out", "op": "Mean", "input": ["d", "axes"], "attr": {"keep_dims": {"b": True}}},
    ]
    quantization = {"dtype": "uint8", "scale": 0.01, "min": -1.0}
    weights = [
        {"name": "kernel", "shape": [3, 3, 3, 4], "dtype": "float32", "quantization": quantization},
        {"name": "scale", "shape": [4], "dtype": "float32"},
        {"name": "six", "shape": [], "dtype": "float32"},
        {"name": "axes", "shape": [2], "dtype": "int32"},
    ]
    data = bytes(range(108)) + np.ones(5, "<f4").tobytes() + np.array([1, 2], "<i4").tobytes()
    manifest = [{"paths": ["m.bin"], "weights": weights}]
    description = {"modelTopology": {"node": nodes}, "weightsManifest": manifest}
    return json.dumps(description).encode(), data


def openvino_ir(folder: Path) -> tuple[bytes, bytes]:
    """A product with a constant, as OpenVINO writes it."""
    import openvino
    from openvino import opset13 as operations

    given = operations.parameter([1, 4], np.float32, name="given")
    weight = operations.constant(np.arange(12, dtype=np.float32).reshape(4, 3), name="weight")
    product = operations.matmul(given, weight, False, False)
    path = folder / "tiny.xml"
    openvino.save_model(openvino.Model([product], [given]), path, compress_to_fp16=False)
    return path.read_bytes(), path.with_suffix(".bin").read_bytes()
