"""Runs a TensorFlow.js graph model in PyTorch: differentiable, any batch size, nothing executed.

A graph model is a JSON file (the nodes of a TensorFlow GraphDef and a list of the weights) beside
one file of weights; the list alone is what face-api.js uses too. Only what the face networks use is
read; anything else raises ModelError.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photorig.shared.errors import ModelError
from photorig.shared.files.reading import read_file
from photorig.shared.files.strict_json import parse_json

from . import operators
from .sequential_graph import SequentialGraph
from .untrusted import Allowance, network_file

_LONGEST_MODEL, _DEEPEST = 64 << 20, 24
_LARGEST_WEIGHTS = 1 << 30
_MOST_FOLDED = 8
"""Scalings and shifts that go into one convolution: each makes its weights anew."""
_STORED = ("float32", "float16", "int32", "uint8", "uint16")
_READ_ERRORS = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError)


def read_weights(manifest: Sequence[Mapping[str, Any]], data: bytes) -> dict[str, np.ndarray]:
    """The weights of a manifest by name, de-quantised: float32, or int32 for shapes and axes.

    Args:
        manifest: ``weightsManifest`` of a graph model, or a weights manifest of face-api.js.
        data: its weight files, one after the other.

    Raises:
        ValueError, KeyError, TypeError: list and data do not fit together.
    """
    weights, offset = {}, 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        quantization = entry.get("quantization") or {}
        stored = quantization.get("dtype", entry["dtype"])
        if stored not in _STORED or entry["dtype"] not in ("float32", "int32"):
            raise ValueError(f"weights of type {stored} for {entry['dtype']} are not supported")
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(data, np.dtype(stored).newbyteorder("<"), count, offset)
        offset += values.nbytes
        if "scale" in quantization:
            values = values.astype(np.float32) * quantization["scale"] + quantization["min"]
        weights[entry["name"]] = values.reshape(entry["shape"]).astype(entry["dtype"])
    if offset != len(data):
        raise ValueError(f"{len(data) - offset} bytes too many")
    return weights


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        name: also the name of its result.
        operator: TensorFlow's name of the operator.
        inputs: names of nodes.
        attributes: as in the GraphDef's JSON form.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def integers(self, attribute: str) -> tuple[int, ...]:
        """A list of integers, () where the node has none."""
        values = self.attributes.get(attribute, {}).get("list", {})
        return tuple(int(value) for value in values.get("i", ()))

    def text(self, attribute: str) -> str:
        return base64.b64decode(self.attributes[attribute]["s"]).decode()

    def texts(self, attribute: str) -> tuple[str, ...]:
        values = self.attributes.get(attribute, {}).get("list", {}).get("s", ())
        return tuple(base64.b64decode(value).decode() for value in values)

    def flag(self, attribute: str) -> bool:
        return bool(self.attributes.get(attribute, {}).get("b", False))


@dataclass(frozen=True)
class Graph:
    """A model with one input.

    Attributes:
        nodes: operations in an order that can be run, without constants and input.
        constants: weights by name.
        input: name of the input.
        input_shape: its shape, -1 for the batch.
    """

    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]
    input: str
    input_shape: tuple[int, ...]


def read_graph(model: Path, weights: Path) -> Graph:
    """Read a graph model from its two files. Raises ModelError where it is damaged or unknown."""
    with network_file(model.name):
        description = parse_json(read_file(model, _LONGEST_MODEL), _LONGEST_MODEL, _DEEPEST)
        constants = read_weights(
            description["weightsManifest"], read_file(weights, _LARGEST_WEIGHTS)
        )
        entries = description["modelTopology"]["node"]
        given = [entry for entry in entries if entry["op"] == "Placeholder"]
        if len(given) != 1:
            raise ValueError(f"it has {len(given)} inputs instead of one")
        dimensions = given[0]["attr"]["shape"]["shape"]["dim"]
        nodes = [_node(entry) for entry in entries if entry["op"] not in ("Const", "Placeholder")]
        start = given[0]["name"]
        return Graph(
            _in_order(nodes, {start, *constants}),
            constants,
            start,
            tuple(int(dimension["size"]) for dimension in dimensions),
        )


def _node(entry: Mapping[str, Any]) -> Node:
    inputs = tuple(_plain(name) for name in entry.get("input", ()) if not name.startswith("^"))
    return Node(entry["name"], entry["op"], inputs, entry.get("attr", {}))


def _plain(name: str) -> str:
    """A result's name without its number: every operator here has one result."""
    return name.removesuffix(":0")


def _in_order(nodes: list[Node], known: set[str]) -> tuple[Node, ...]:
    """Each after those whose results it reads. Raises ValueError where that cannot be."""
    names = {node.name for node in nodes}
    if len(names) < len(nodes):
        raise ValueError("two nodes have one name")
    lacking = {node.name: set(node.inputs) - known for node in nodes}
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in lacking[node.name]:
            if name not in names:
                raise ValueError(f"node {node.name} lacks an input")
            readers.setdefault(name, []).append(node)
    ordered = [node for node in nodes if not lacking[node.name]]
    for node in ordered:  # it grows meanwhile
        for reader in readers.pop(node.name, ()):
            lacking[reader.name].discard(node.name)
            if not lacking[reader.name]:
                ordered.append(reader)
    if len(ordered) < len(nodes):
        waiting = next(node for node in nodes if lacking[node.name])
        raise ValueError(f"node {waiting.name} lacks an input")
    return tuple(ordered)


class TFJSModule(SequentialGraph[str]):
    """A graph as a frozen module. Tensors keep TensorFlow's layout, channels last.

    Args:
        graph: as `read_graph` gives it.
        outputs: names of the results to compute.

    Raises:
        ModelError: an output is missing, or an operator is not supported; the message names it.
    """

    def __init__(self, graph: Graph, outputs: Sequence[str]) -> None:
        wanted = tuple(_plain(name) for name in outputs)
        if missing := set(wanted) - {node.name for node in graph.nodes}:
            raise ModelError(f"The network has no output {', '.join(sorted(missing))}")
        with network_file("of TensorFlow.js"):
            allowance = Allowance(sum(array.nbytes for array in graph.constants.values()))
            graph = _needed(graph, wanted)
            for node in graph.nodes:
                named = (graph.constants[name] for name in node.inputs if name in graph.constants)
                allowance.take(named, copies=2)
            graph = fold(graph, wanted)
            wiring = [
                (tuple(name for name in node.inputs if name not in graph.constants), node.name)
                for node in graph.nodes
            ]
            steps = [_step(graph, node) for node in graph.nodes]
            super().__init__(steps, wiring, graph.input, wanted)
            self.input_shape = graph.input_shape


def _needed(graph: Graph, outputs: tuple[str, ...]) -> Graph:
    alive, needed = set(outputs), []
    for node in reversed(graph.nodes):
        if node.name in alive:
            alive.update(node.inputs)
            needed.append(node)
    return replace(graph, nodes=tuple(needed[::-1]))


def fold(graph: Graph, outputs: Sequence[str]) -> Graph:
    """The same function with fewer passes over the images.

    What only scales, shifts or clips the result of a convolution goes into the convolution.
    """
    uses = Counter(name for node in graph.nodes for name in node.inputs) + Counter(outputs)
    constants = dict(graph.constants)
    nodes: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in graph.nodes:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        node = replace(node, inputs=inputs)
        before = nodes.get(inputs[0]) if inputs else None
        merged = None
        if before is not None and uses[node.name] and node.name not in outputs:
            single = uses[before.name] == 1
            merged = _merged(before, node, constants) if single else None
        if merged is None or before is None:
            nodes[node.name] = node
        else:
            nodes[before.name] = merged
            renamed[node.name] = before.name
            uses[before.name] = uses[node.name]
    return replace(graph, nodes=tuple(nodes.values()), constants=constants)


_CONVOLUTIONS = {
    "Conv2D": False,
    "_FusedConv2D": False,
    "DepthwiseConv2dNative": True,
    "FusedDepthwiseConv2dNative": True,
}
"""Operator → whether each channel has kernels of its own."""
_CLIPS = {"Relu": "relu", "Minimum": "minimum", "Maximum": "maximum"}


def _merged(before: Node, node: Node, constants: dict[str, np.ndarray]) -> Node | None:
    """The convolution ``before`` with what ``node`` does to its result, None if that cannot be."""
    if before.operator not in _CONVOLUTIONS or "fused_ops" in before.attributes:
        return None
    values = constants.get(node.inputs[1]) if len(node.inputs) == 2 else None
    after = before.attributes.get("folded", ())
    if node.operator in ("Mul", "Add", "AddV2") and values is not None and not after:
        return _scaled_or_shifted(before, node.operator, values, constants)
    clip = _CLIPS.get(node.operator) if len(after) < _MOST_FOLDED else None
    if clip == "relu" or (clip is not None and values is not None and values.size == 1):
        step = (clip, 0.0 if values is None else float(values.reshape(())))
        return replace(before, attributes={**before.attributes, "folded": (*after, step)})
    return None


def _scaled_or_shifted(
    before: Node, operator: str, values: np.ndarray, constants: dict[str, np.ndarray]
) -> Node | None:
    weight = constants[before.inputs[1]]
    channels = weight.shape[2] if _CONVOLUTIONS[before.operator] else weight.shape[3]
    n_folded = before.attributes.get("n_folded", 0)
    if values.size not in (1, channels) or n_folded >= _MOST_FOLDED:
        return None
    values = np.broadcast_to(values.reshape(-1), channels)
    shift = constants[before.inputs[2]] if len(before.inputs) == 3 else np.zeros(channels)
    if operator == "Mul":
        depthwise = _CONVOLUTIONS[before.operator]
        weight, shift = weight * (values[:, None] if depthwise else values), shift * values
    else:
        shift = shift + values
    names = (f"{before.name}/folded_weight", f"{before.name}/folded_shift")
    constants.update(zip(names, (weight, shift.astype(np.float32)), strict=True))
    attributes = {**before.attributes, "n_folded": n_folded + 1}
    return replace(before, inputs=(before.inputs[0], *names), attributes=attributes)


Builder = Callable[[Graph, Node], nn.Module]


def _step(graph: Graph, node: Node) -> nn.Module:
    build = _BUILDERS.get(node.operator)
    if build is None:
        raise ModelError(f"TensorFlow operator {node.operator} is not supported")
    try:
        return build(graph, node)
    except _READ_ERRORS as error:
        raise ModelError(f"Node {node.name} ({node.operator}) is not supported: {error}") from error


def _check_layout(node: Node) -> None:
    if node.text("data_format") != "NHWC" or set(node.integers("dilations")) - {1}:
        raise ValueError("only undilated channels-last operators are")


def _convolution(graph: Graph, node: Node) -> nn.Module:
    _check_layout(node)
    depthwise = _CONVOLUTIONS[node.operator]
    weight = graph.constants[node.inputs[1]]
    if depthwise and weight.shape[3] != 1:
        raise ValueError("its channels have several kernels")
    channels = weight.shape[2 if depthwise else 3]
    fused = node.texts("fused_ops")
    if len(node.inputs) > 2 and fused and fused[0] != "BiasAdd":
        raise ValueError(f"{fused[0]} is fused into it")
    bias = graph.constants[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(channels)
    convolution = operators.Convolution(
        weight.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)),
        bias,
        stride=_two(node.integers("strides")),
        padding=node.text("padding").lower(),
        activation=_activation(fused[1:], node.attributes.get("folded", ())),
        groups=channels if depthwise else 1,
    )
    if "Prelu" in fused:
        slope = graph.constants[node.inputs[3]].reshape(-1)
        return nn.Sequential(convolution, operators.PReLU(slope))
    return convolution


def _activation(
    fused: tuple[str, ...], folded: tuple[tuple[str, float], ...]
) -> Callable[[Tensor], Tensor] | None:
    """What follows a convolution: written into the file, or put there by `fold`."""
    if fused in ((), ("Prelu",)) and not folded:
        return None
    if fused == ("Relu",) and not folded:
        return torch.relu
    if fused == ("Relu6",) or folded == (("relu", 0), ("minimum", 6), ("maximum", 0)):
        return F.relu6
    if fused:
        raise ValueError(f"{', '.join(fused)} is fused into it")
    functions = {"relu": lambda x, _: x.relu(), "minimum": _at_most, "maximum": _at_least}

    def apply(x: Tensor) -> Tensor:
        for name, limit in folded:
            x = functions[name](x, limit)
        return x

    return apply


def _at_most(x: Tensor, limit: float) -> Tensor:
    return x.clamp_max(limit)


def _at_least(x: Tensor, limit: float) -> Tensor:
    return x.clamp_min(limit)


def _two(numbers: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns out of (batch, rows, columns, channels)."""
    batch, rows, columns, channels = numbers
    if (batch, channels) != (1, 1):
        raise ValueError("it strides over batch or channels")
    return rows, columns


def _max_pool(graph: Graph, node: Node) -> nn.Module:
    if node.text("data_format") != "NHWC":
        raise ValueError("only channels-last operators are")
    size, stride = _two(node.integers("ksize")), _two(node.integers("strides"))
    return operators.MaxPool(size, stride, node.text("padding").lower())


class _Linear(nn.Module):
    weight: Tensor
    bias: Tensor

    def __init__(self, weight: np.ndarray, bias: np.ndarray, rectified: bool) -> None:
        super().__init__()
        self.register_buffer("weight", torch.from_numpy(weight.T.copy()), persistent=False)
        self.register_buffer("bias", torch.from_numpy(bias.copy()), persistent=False)
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.weight, self.bias)
        return x.relu() if self.rectified else x


def _matrix_product(graph: Graph, node: Node) -> nn.Module:
    fused = node.texts("fused_ops")
    if fused not in (("BiasAdd",), ("BiasAdd", "Relu")) or node.flag("transpose_a"):
        raise ValueError(f"fused {fused}")
    weight, bias = (graph.constants[name] for name in node.inputs[1:3])
    return _Linear(weight.T if node.flag("transpose_b") else weight, bias, "Relu" in fused)


def _plain_matrix_product(graph: Graph, node: Node) -> nn.Module:
    if node.flag("transpose_a"):
        raise ValueError("its left side is transposed")
    weight = graph.constants[node.inputs[1]]
    weight = weight.T if node.flag("transpose_b") else weight
    return _Linear(weight, np.zeros(weight.shape[1], np.float32), False)


def _reshape(graph: Graph, node: Node) -> nn.Module:
    batch, *rest = graph.constants[node.inputs[1]].tolist()
    if batch != -1 or -1 in rest:
        raise ValueError("it changes the batch")
    return operators.Unary(lambda x: x.reshape(-1, *rest))


def _unary(function: Callable[[Tensor], Tensor]) -> Builder:
    return lambda graph, node: operators.Unary(function)


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Builder:
    def build(graph: Graph, node: Node) -> nn.Module:
        left, right = (graph.constants.get(name) for name in node.inputs)
        return operators.Binary(function, left, right, None)

    return build


def _reduction(function: Callable[..., Tensor]) -> Builder:
    def build(graph: Graph, node: Node) -> nn.Module:
        axes = tuple(np.atleast_1d(graph.constants[node.inputs[1]]).tolist())
        keep = node.flag("keep_dims")
        return operators.Unary(lambda x: function(x, axes, keep))

    return build


def _squeeze(graph: Graph, node: Node) -> nn.Module:
    axes = node.integers("squeeze_dims")
    if not axes or 0 in axes:
        raise ValueError("it does not name the axes to drop, or drops the batch")
    return operators.Unary(lambda x: x.squeeze(axes))


def _pad(graph: Graph, node: Node) -> nn.Module:
    widths = graph.constants[node.inputs[1]].tolist()
    flat = [width for pair in reversed(widths) for width in pair]
    return operators.Unary(lambda x: F.pad(x, flat))


def _concatenation(graph: Graph, node: Node) -> nn.Module:
    axis = int(graph.constants[node.inputs[-1]])
    constants = [graph.constants.get(name) for name in node.inputs[:-1]]
    return operators.Concatenation(constants, axis)


def _prelu(graph: Graph, node: Node) -> nn.Module:
    return operators.PReLU(graph.constants[node.inputs[1]].reshape(-1))


_BUILDERS: dict[str, Builder] = {
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    "_FusedMatMul": _matrix_product,
    "Abs": _unary(torch.abs),
    "Add": _binary(torch.add),
    "AddV2": _binary(torch.add),
    "ConcatV2": _concatenation,
    "Identity": _unary(lambda x: x),
    "MatMul": _plain_matrix_product,
    "Max": _reduction(torch.amax),
    "Maximum": _binary(torch.maximum),
    "MaxPool": _max_pool,
    "Mean": _reduction(torch.mean),
    "Minimum": _binary(torch.minimum),
    "Mul": _binary(torch.mul),
    "Pad": _pad,
    "Prelu": _prelu,
    "Relu": _unary(torch.relu),
    "Reshape": _reshape,
    "Rsqrt": _unary(torch.rsqrt),
    "Sigmoid": _unary(torch.sigmoid),
    "Softmax": _unary(lambda x: x.softmax(-1)),
    "Square": _unary(torch.square),
    "Squeeze": _squeeze,
    "Sub": _binary(torch.sub),
    "Sum": _reduction(torch.sum),
}
