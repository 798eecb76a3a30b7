"""Reads the weights of an ONNX file, block-quantised ones too; needs numpy only.

An ONNX file is a Protocol Buffers message in the layout of ``onnx.proto``. Only its
initializers are read: the wiring is the caller's business.
"""

from __future__ import annotations

import struct

import numpy as np

from photorig.shared.errors import ModelError

from .protobuf import fields, integers

_GRAPH, _INITIALIZER = 7, 5  # fields of ModelProto and GraphProto
_DIMS, _DATA_TYPE, _FLOATS, _NAME, _RAW = 1, 2, 4, 8, 9  # fields of TensorProto
_DTYPES: dict[int, str] = {1: "<f4", 3: "<i1", 7: "<i8"}


def read_weights(data: bytes) -> dict[str, np.ndarray]:
    """Initializers by name; int8 blocks become float32 under the name without ``_quantized``.

    A quantised weight ``w`` is stored as opset 21 of DequantizeLinear wants it: ``w_quantized``,
    ``w_scales`` and ``w_zero_point``, one of each for a block along the last axis, and, where the
    weight has more than two axes, ``w_shape``.

    Raises:
        ModelError: no ONNX file, a damaged one, or one with values of another kind.
    """
    try:
        graph = _only(memoryview(data), _GRAPH)
        tensors = dict(_tensor(value) for field, value in fields(graph) if field == _INITIALIZER)
        weights = {_plain(name): _dequantised(tensors, name) for name in tensors}
    except (struct.error, IndexError, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"A network cannot be read: {error}", "Fetch the model again.") from error
    if not weights:
        raise ModelError("A network cannot be read: it has no weights", "Fetch the model again.")
    return weights


def _plain(name: str) -> str:
    return name.removesuffix("_quantized")


def _dequantised(tensors: dict[str, np.ndarray], name: str) -> np.ndarray:
    values = tensors[name]
    if not name.endswith("_quantized"):
        return values
    scales, zeros = (tensors[_plain(name) + end] for end in ("_scales", "_zero_point"))
    result = values.astype(np.float32)
    length, count = values.shape[-1], scales.shape[-1]
    block = -(-length // count)  # the last block may be short
    zeros, scales = zeros.astype(np.float32), scales.astype(np.float32)
    if length == block * count:  # without copies: the last layer has six million weights
        blocks = result.reshape(*values.shape[:-1], count, block)
        blocks -= zeros[..., None]
        blocks *= scales[..., None]
    else:
        result -= np.repeat(zeros, block, -1)[..., :length]
        result *= np.repeat(scales, block, -1)[..., :length]
    shape = tensors.get(_plain(name) + "_shape")
    return result if shape is None else result.reshape(shape)


def _tensor(data: int | memoryview) -> tuple[str, np.ndarray]:
    dims: list[int] = []
    kind, name, content = 0, "", memoryview(b"")
    for field, value in fields(data):
        if field == _DIMS:
            dims.extend(integers(value))
        elif field == _DATA_TYPE and isinstance(value, int):
            kind = value
        elif field == _NAME and isinstance(value, memoryview):
            name = bytes(value).decode()
        elif field in (_FLOATS, _RAW) and isinstance(value, memoryview):
            content = value
    return name, np.frombuffer(content, _DTYPES[kind]).reshape(dims)


def _only(data: memoryview, wanted: int) -> memoryview:
    for field, value in fields(data):
        if field == wanted and isinstance(value, memoryview):
            return value
    raise ValueError("it is no ONNX file")
