"""Tensors of torch and arrays of numpy, out of the records that a pickle leaves (`pickled.Made`).

`MAKERS` is all that is understood. Arrays are views of the file wherever they lie in it in order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from photorig.shared.errors import ModelError

from .pickled import Made, Name, Reference, read_pickle

Storages = Mapping[str, memoryview]
"""Bytes of torch's storages by the key that a `Reference` has."""

_TORCH_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
    "float32": "<f4",
    "float64": "<f8",
    "float16": "<f2",
    "bfloat16": "bfloat16",
    "int64": "<i8",
}
_MOST_DIMENSIONS = 8
_DEEPEST = 8
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C

Maker = Callable[[Made, Storages, int], np.ndarray]


def array_of(value: object, storages: Storages | None = None, depth: int = 0) -> np.ndarray | None:
    """The numbers of a tensor or an array; None where ``value`` is neither.

    Raises:
        ModelError: it is one, and is damaged.
    """
    if isinstance(value, bool | int | float):
        return np.asarray(value)
    if not isinstance(value, Made) or value.name not in MAKERS:
        return None
    if depth > _DEEPEST:
        raise ModelError("one of its tensors is a tensor of a tensor without end")
    try:
        return MAKERS[value.name](value, storages or {}, depth)
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise ModelError("one of its tensors is damaged") from error


def _parameter(made: Made, storages: Storages, depth: int) -> np.ndarray:
    return _inner(_arguments(made, 1)[0], storages, depth)


def _inner(value: object, storages: Storages, depth: int) -> np.ndarray:
    found = array_of(value, storages, depth + 1)
    if found is None:
        raise ValueError("no tensor")
    return found


def _tensor(made: Made, storages: Storages, depth: int) -> np.ndarray:
    """``_rebuild_tensor_v2(storage, offset, size, stride, …)``; the third version names a type."""
    storage, offset, size, stride, *rest = _arguments(made, 4)
    named = rest[2] if made.name.endswith("_v3") else None
    numbers = _storage(storage, storages, _element_type(named) if named else None)
    shape, strides = _whole(size), _whole(stride)
    if not isinstance(offset, int) or len(shape) != len(strides):
        raise ValueError("the shape is none")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if min(shape, default=1) < 1:
        raise ValueError("a tensor of nothing")
    # No number is used twice, so that a tensor is never larger than its part of the file.
    if offset < 0 or last >= len(numbers) or math.prod(shape) > len(numbers):
        raise ValueError("beyond the end of the storage")
    numbers = numbers[offset : last + 1]
    in_bytes = tuple(step * numbers.itemsize for step in strides)
    return np.lib.stride_tricks.as_strided(numbers, shape, in_bytes, writeable=False)


def _storage(value: object, storages: Storages, named: str | None) -> np.ndarray:
    """The elements of a storage, which is elsewhere in the file or (NVIDIA) a file of its own."""
    if isinstance(value, Made) and value.name == "torch.storage._load_from_bytes":
        (content,) = _arguments(value, 1)
        value, storages, _ = read_torch_stream(memoryview(content))  # type: ignore[arg-type]
    if not isinstance(value, Reference) or not isinstance(value.value, tuple):
        raise ValueError("no storage")
    kind, type_name, key, _, count, *_ = value.value
    if kind != "storage" or not isinstance(count, int):
        raise ValueError("no storage")
    element = named or _element_type(type_name)
    content = storages[str(key)]
    if element == "bfloat16":
        upper = np.frombuffer(content, "<u2")
        return (upper.astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(content, element)


def _element_type(name: object) -> str:
    if not isinstance(name, Name) or name.module not in ("torch", "torch.storage"):
        raise ValueError("an unknown kind of number")
    return _TORCH_TYPES[name.name]


def _numpy_array(made: Made, storages: Storages, depth: int) -> np.ndarray:
    """``_reconstruct(…)`` with the state (version, shape, dtype, is_fortran, content)."""
    assert isinstance(made.state, tuple)
    _, size, element, fortran, content = made.state
    shape = _whole(size)
    if isinstance(content, Made):  # bytes in the protocol 2, as a text of their codes
        content = _encoded(content)
    if isinstance(content, str):
        content = content.encode("latin-1")
    numbers = np.frombuffer(content, _dtype(element))  # type: ignore[call-overload]
    if math.prod(shape) != len(numbers):
        raise ValueError("of another length than its shape")
    return numbers.reshape(shape, order="F" if fortran else "C")


def _encoded(made: Made) -> bytes:
    if made.name != "_codecs.encode":
        raise ValueError("no bytes")
    text = _arguments(made, 1)[0]
    if isinstance(text, memoryview):
        text = str(text, "utf-8")
    if not isinstance(text, str):
        raise ValueError("no bytes")
    return text.encode("latin-1")


def _numpy_scalar(made: Made, storages: Storages, depth: int) -> np.ndarray:
    element, content = _arguments(made, 2)[:2]
    if isinstance(content, Made):
        content = _encoded(content)
    if isinstance(content, str):
        content = content.encode("latin-1")
    return np.frombuffer(content, _dtype(element), count=1)[0]  # type: ignore[call-overload]


def _dtype(value: object) -> np.dtype:
    """Of numbers only; numpy itself would also read records and objects."""
    if not isinstance(value, Made) or value.name != "numpy.dtype":
        raise ValueError("no element type")
    code = _arguments(value, 1)[0]
    order = value.state[1] if isinstance(value.state, tuple) else "="
    if code not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"):
        raise ValueError("no numbers")
    return np.dtype(f"{order if order in ('<', '>') else '='}{code}")


def _arguments(made: Made, count: int) -> tuple[object, ...]:
    if not isinstance(made.args, tuple) or len(made.args) < count:
        raise ValueError("arguments are missing")
    return made.args


def _whole(value: object) -> tuple[int, ...]:
    """A shape or strides: a tuple, or a torch.Size of one."""
    if isinstance(value, Made) and value.name == "torch.Size":
        value = _arguments(value, 1)[0]
    if not isinstance(value, tuple | list) or len(value) > _MOST_DIMENSIONS:
        raise ValueError("no shape")
    if not all(isinstance(n, int) and 0 <= n < 1 << 40 for n in value):
        raise ValueError("no shape")
    return tuple(value)


MAKERS: dict[str, Maker] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "numpy.core.multiarray._reconstruct": _numpy_array,
    "numpy._core.multiarray._reconstruct": _numpy_array,
    "numpy.core.multiarray.scalar": _numpy_scalar,
    "numpy._core.multiarray.scalar": _numpy_scalar,
}
"""What each record means."""


def read_torch_stream(data: memoryview) -> tuple[object, dict[str, memoryview], int]:
    """torch's format before version 1.6: four pickles, the keys of the storages, their bytes.

    Returns:
        The object, its storages by key, and where it ends.

    Raises:
        ModelError: it is damaged, or is something else.
    """
    magic, at = read_pickle(data)
    if magic != _LEGACY_MAGIC:
        raise ModelError("it is a pickle, but not of torch")
    _, at = read_pickle(data, at)  # version of the format
    _, at = read_pickle(data, at)  # the computer it was written on
    content, at = read_pickle(data, at)
    keys, at = read_pickle(data, at)
    sizes = _element_sizes(content)
    storages = {}
    if not isinstance(keys, list):
        raise ModelError("it is a damaged torch file")
    for key in keys:
        count = int.from_bytes(data[at : at + 8], "little", signed=True)
        end = at + 8 + count * sizes.get(str(key), 1)
        if count < 0 or end > len(data):
            raise ModelError("it is a torch file whose end is missing")
        storages[str(key)] = data[at + 8 : end]
        at = end
    return content, storages, at


def _element_sizes(content: object) -> dict[str, int]:
    """Bytes of a number in each storage, as the references in ``content`` say."""
    sizes: dict[str, int] = {}
    waiting, seen = [content], set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        if isinstance(value, Reference):
            if isinstance(value.value, tuple) and len(value.value) >= 5:
                _, type_name, key, *_ = value.value
                element = _TORCH_TYPES.get(getattr(type_name, "name", ""), "<u1")
                sizes[str(key)] = 2 if element == "bfloat16" else np.dtype(element).itemsize
            continue
        seen.add(id(value))
        if isinstance(value, Made):
            waiting += [value.args, value.state, *value.items, *value.entries.values()]
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return sizes
