"""Runs a float TFLite graph in PyTorch: differentiable, any batch size, needs torch and numpy only.

A ``.tflite`` file is a FlatBuffer (https://flatbuffers.dev/internals/) in the layout of TensorFlow
Lite's ``schema.fbs``. Only what the face networks use is read; anything else raises ModelError.
The package ``tflite`` names the fields, but loads 187 modules to do so (83 ms of a core in each
process that looks at faces) and runs no operator; so the twenty numbers that are needed stay here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from photorig.shared.errors import ModelError

from . import operators
from .sequential_graph import SequentialGraph
from .untrusted import Allowance, network_file


class Table:
    """A FlatBuffer table: typed access to fields by their number in the schema."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position
        self._offsets = position - self._number("i", position)
        self._size = self._number("H", self._offsets)

    def _number(self, code: str, position: int) -> int:
        return int(struct.unpack_from("<" + code, self._data, position)[0])

    def _field(self, field: int) -> int | None:
        """Absolute position of a field's value, None where the file leaves it at its default."""
        entry = 4 + 2 * field
        offset = self._number("H", self._offsets + entry) if entry < self._size else 0
        return self._position + offset if offset else None

    def _target(self, field: int) -> int | None:
        position = self._field(field)
        return None if position is None else position + self._number("I", position)

    def integer(self, field: int, code: str = "i", default: int = 0) -> int:
        """A scalar; ``code`` is its struct format character."""
        position = self._field(field)
        return default if position is None else self._number(code, position)

    def table(self, field: int) -> Table | None:
        position = self._target(field)
        return None if position is None else Table(self._data, position)

    def tables(self, field: int) -> list[Table]:
        start = self._target(field)
        if start is None:
            return []
        slots = range(start + 4, start + 4 + 4 * self._number("I", start), 4)
        return [Table(self._data, slot + self._number("I", slot)) for slot in slots]

    def array(self, field: int, dtype: type[np.generic]) -> np.ndarray:
        """A vector of scalars as a flat read-only array."""
        start = self._target(field)
        if start is None:
            return np.zeros(0, dtype)
        return np.frombuffer(self._data, dtype, self._number("I", start), start + 4)


@dataclass(frozen=True)
class Operation:
    """One node of the graph: operator code of schema.fbs, tensor numbers, its options."""

    code: int
    inputs: tuple[int, ...]
    output: int
    options: Table | None
    custom_options: bytes = b""


@dataclass(frozen=True)
class Graph:
    """A model's only subgraph.

    Attributes:
        shapes: shape by tensor number, as written for batch size 1.
        constants: weights by tensor number; float16 ones are widened.
        operations: in an order that can be run.
        inputs, outputs: tensor numbers.
    """

    shapes: tuple[tuple[int, ...], ...]
    constants: dict[int, np.ndarray]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


_DTYPES: dict[int, type[np.generic]] = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}
_DEQUANTIZE = 6
_CUSTOM = 32
_CUSTOM_OPERATORS = (b"Convolution2DTransposeBias",)  # MediaPipe's; the only one that is known


def read_graph(data: bytes, allowance: Allowance | None = None) -> Graph:
    """Parse a .tflite file. Raises ModelError where it is damaged or of an unknown kind."""
    with network_file("of a face"):
        return _read_graph(data, allowance or Allowance(len(data)))


def _read_graph(data: bytes, allowance: Allowance) -> Graph:
    model = Table(data, struct.unpack_from("<I", data, 0)[0])
    # Old writers fill the first (8-bit) operator code, new ones the fourth field.
    kinds = model.tables(1)
    codes = [max(code.integer(0, "b"), code.integer(3)) for code in kinds]
    for kind, code in zip(kinds, codes, strict=True):
        name = kind.array(1, np.uint8).tobytes()
        if code == _CUSTOM and name not in _CUSTOM_OPERATORS:
            raise ModelError(f"TFLite operator {name.decode(errors='replace')!r} is not supported")
    buffers = model.tables(4)
    graph = model.tables(2)[0]
    shapes, constants = [], {}
    for number, tensor in enumerate(graph.tables(0)):
        shape = tuple(tensor.array(0, np.int32).tolist())
        shapes.append(shape)
        raw = buffers[tensor.integer(2, "I")].array(0, np.uint8)
        if raw.size:
            allowance.take([raw])
            values = np.frombuffer(raw.tobytes(), _DTYPES[tensor.integer(1, "b")])
            constants[number] = values.reshape(shape)
    operations = []
    for table in graph.tables(3):
        inputs = tuple(table.array(1, np.int32).tolist())
        output = int(table.array(2, np.int32)[0])
        code = codes[table.integer(0, "I")]
        if code == _DEQUANTIZE:
            allowance.take([constants[inputs[0]]], copies=2)
            constants[output] = constants[inputs[0]].astype(np.float32)
        else:
            custom = table.array(5, np.uint8).tobytes()
            operations.append(Operation(code, inputs, output, table.table(4), custom))
    ends = [tuple(graph.array(field, np.int32).tolist()) for field in (1, 2)]
    return Graph(tuple(shapes), constants, tuple(operations), ends[0], ends[1])


Builder = Callable[[Graph, Operation], nn.Module]


class TFLiteModule(SequentialGraph[int]):
    """A graph as a frozen module. Tensors keep TFLite's layout, channels last.

    Args:
        data: content of a .tflite file with one input and float weights.
        outputs: which of the graph's outputs to compute, by position; all if None.
    """

    def __init__(self, data: bytes, outputs: tuple[int, ...] | None = None) -> None:
        allowance = Allowance(len(data))
        graph = read_graph(data, allowance)
        with network_file("of a face"):
            names = tuple(graph.outputs if outputs is None else (graph.outputs[i] for i in outputs))
            wanted = _needed(graph, names)
            wiring = [
                (tuple(i for i in operation.inputs if i not in graph.constants), operation.output)
                for operation in wanted
            ]
            for operation in wanted:
                allowance.take(graph.constants[i] for i in operation.inputs if i in graph.constants)
            steps = [_step(graph, operation) for operation in wanted]
            super().__init__(steps, wiring, graph.inputs[0], names)
            self.input_shape = graph.shapes[graph.inputs[0]]


def _needed(graph: Graph, outputs: tuple[int, ...]) -> list[Operation]:
    """The operations that the outputs depend on, in order."""
    alive, needed = set(outputs), []
    for operation in reversed(graph.operations):
        if operation.output in alive:
            alive.update(operation.inputs)
            needed.append(operation)
    return needed[::-1]


def _step(graph: Graph, operation: Operation) -> nn.Module:
    build = _BUILDERS.get(operation.code)
    if build is None:
        raise ModelError(f"TFLite operator {operation.code} is not supported")
    return build(graph, operation)


def _options(operation: Operation) -> Table:
    if operation.options is None:
        raise ModelError("A TFLite operator lacks its options")
    return operation.options


def _padding(options: Table) -> str:
    return ("same", "valid")[options.integer(0, "b")]


def _convolution(graph: Graph, operation: Operation, depthwise: bool = False) -> nn.Module:
    options, shift = _options(operation), int(depthwise)  # field 3 is the depth multiplier there
    if (options.integer(4 + shift, default=1), options.integer(5 + shift, default=1)) != (1, 1):
        raise ModelError("Dilated TFLite convolutions are not supported")
    weight = graph.constants[operation.inputs[1]]
    return operators.Convolution(
        weight.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2)),
        graph.constants[operation.inputs[2]],
        stride=(options.integer(2), options.integer(1)),
        padding=_padding(options),
        activation=operators.activation(options.integer(3 + shift, "b")),
        groups=weight.shape[3] if depthwise else 1,
    )


def _transposed_convolution(graph: Graph, operation: Operation) -> nn.Module:
    """MediaPipe's own operator; its options are TfLiteTransposeConvParams as they lie in memory."""
    _, stride_x, stride_y = struct.unpack("<3i", operation.custom_options[:12])
    weight = graph.constants[operation.inputs[1]]
    if weight.shape[1:3] != (stride_y, stride_x):
        raise ModelError("TFLite's transposed convolutions are supported without overlap only")
    return operators.TransposedConvolution(
        weight.transpose(3, 0, 1, 2), graph.constants[operation.inputs[2]]
    )


def _average_pool(graph: Graph, operation: Operation) -> nn.Module:
    options, shape = _options(operation), graph.shapes[operation.inputs[0]]
    if (options.integer(4), options.integer(3)) != shape[1:3]:
        raise ModelError("TFLite's average pooling is supported over whole images only")
    return operators.Unary(lambda x: x.mean((1, 2), keepdim=True))


def _resize(graph: Graph, operation: Operation) -> nn.Module:
    options = _options(operation)
    if options.integer(2, "?") or not options.integer(3, "?"):
        raise ModelError("TFLite resizing is supported with half-pixel centres only")
    height, width = graph.constants[operation.inputs[1]].tolist()
    return operators.Unary(lambda x: operators.resize(x, (height, width)))


def _max_pool(graph: Graph, operation: Operation) -> nn.Module:
    options = _options(operation)
    return operators.MaxPool(
        size=(options.integer(4), options.integer(3)),
        stride=(options.integer(2), options.integer(1)),
        padding=_padding(options),
    )


def _binary(
    function: Callable[[Tensor, Tensor], Tensor],
) -> Builder:
    def build(graph: Graph, operation: Operation) -> nn.Module:
        code = operation.options.integer(0, "b") if operation.options else 0
        left, right = (graph.constants.get(i) for i in operation.inputs)
        return operators.Binary(function, left, right, operators.activation(code))

    return build


def _unary(function: Callable[[Tensor], Tensor]) -> Builder:
    return lambda graph, operation: operators.Unary(function)


def _reduction(
    function: Callable[..., Tensor],
) -> Builder:
    def build(graph: Graph, operation: Operation) -> nn.Module:
        axes = tuple(np.atleast_1d(graph.constants[operation.inputs[1]]).tolist())
        keep = bool(operation.options and operation.options.integer(0, "?"))
        return operators.Unary(lambda x: function(x, axes, keep))

    return build


def _prelu(graph: Graph, operation: Operation) -> nn.Module:
    return operators.PReLU(graph.constants[operation.inputs[1]].reshape(-1))


def _reshape(graph: Graph, operation: Operation) -> nn.Module:
    shape = graph.shapes[operation.output]
    rest = shape[1:] if shape and shape[0] == 1 else (-1,)
    return operators.Unary(lambda x: x.reshape(x.shape[0], *rest))


def _transpose(graph: Graph, operation: Operation) -> nn.Module:
    order = tuple(graph.constants[operation.inputs[1]].tolist())
    return operators.Unary(lambda x: x.permute(order))


def _pad(graph: Graph, operation: Operation) -> nn.Module:
    widths = graph.constants[operation.inputs[1]].tolist()
    flat = [width for pair in reversed(widths) for width in pair]
    return operators.Unary(lambda x: nn.functional.pad(x, flat))


def _concatenation(graph: Graph, operation: Operation) -> nn.Module:
    constants = [graph.constants.get(i) for i in operation.inputs]
    return operators.Concatenation(constants, _options(operation).integer(0))


def _strided_slice(graph: Graph, operation: Operation) -> nn.Module:
    begin, end, step = (graph.constants[i].tolist() for i in operation.inputs[1:4])
    options = _options(operation)
    from_start, to_end, _, _, drop = (options.integer(field) for field in range(5))
    index: list[slice | int] = [slice(None)]  # the batch axis is never cut
    for axis in range(1, len(begin)):
        if drop >> axis & 1:
            index.append(begin[axis])
            continue
        start = None if from_start >> axis & 1 else begin[axis]
        stop = None if to_end >> axis & 1 else end[axis]
        index.append(slice(start, stop, step[axis]))
    return operators.Unary(lambda x: x[tuple(index)])


_BUILDERS: dict[int, Builder] = {
    0: _binary(torch.add),
    1: _average_pool,
    2: _concatenation,
    3: _convolution,
    4: lambda graph, operation: _convolution(graph, operation, depthwise=True),
    14: _unary(torch.sigmoid),
    17: _max_pool,
    18: _binary(torch.mul),
    19: _unary(torch.relu),
    22: _reshape,
    23: _resize,
    32: _transposed_convolution,
    34: _pad,
    39: _transpose,
    40: _reduction(torch.mean),
    41: _binary(torch.sub),
    42: _binary(torch.div),
    45: _strided_slice,
    54: _prelu,
    59: _unary(torch.neg),
    74: _reduction(torch.sum),
    75: _unary(operators.safe_sqrt),
    76: _unary(torch.rsqrt),
    99: _binary(operators.squared_difference),
    117: _unary(nn.functional.hardswish),
}
"""By BuiltinOperator number of schema.fbs."""
