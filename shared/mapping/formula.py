"""What a driver's expression comes to, for many frames at once; nothing of it is run as code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping

import numpy as np

from ..errors import InputError

_LONGEST = 2000
_OPERATORS: dict[type, Callable[..., np.ndarray]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / np.where(np.equal(b, 0), np.nan, b),
    ast.Pow: np.power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}


def _clamp(value: np.ndarray, least: float = 0.0, most: float = 1.0) -> np.ndarray:
    return np.minimum(np.maximum(value, least), most)


def _many(join: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def joined(*values: np.ndarray) -> np.ndarray:
        result = values[0]
        for value in values[1:]:
            result = join(result, value)
        return result

    return joined


_FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "min": _many(np.minimum),
    "max": _many(np.maximum),
    "clamp": _clamp,
    "lerp": lambda a, b, share: a + share * (b - a),
    "abs": np.abs,
    "fabs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "sqrt": np.sqrt,
    "pow": np.power,
    "radians": np.radians,
    "degrees": np.degrees,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "exp": np.exp,
    "log": np.log,
}
_CONSTANTS = {"pi": math.pi, "True": 1.0, "False": 0.0}


def value_of(expression: str, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """(n,) what a simple expression of Blender's drivers gives.

    Args:
        values: (n,) of each of its variables.

    Raises:
        InputError: there is something in it that is none of Blender's simple expressions.
    """
    try:
        tree = ast.parse(expression.strip()[:_LONGEST], mode="eval")
        with np.errstate(all="ignore"):
            return np.asarray(_value(tree.body, values), np.float64)
    except (SyntaxError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"The driver {expression[:60]!r} cannot be read") from error


def _value(node: ast.expr, values: Mapping[str, np.ndarray]) -> np.ndarray:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return np.float64(node.value)  # type: ignore[return-value]
    if isinstance(node, ast.Name):
        return values[node.id] if node.id in values else np.float64(_CONSTANTS[node.id])  # type: ignore[return-value]
    if isinstance(node, ast.UnaryOp):
        return _OPERATORS[type(node.op)](_value(node.operand, values))
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        sides = _value(node.left, values), _value(node.comparators[0], values)
        return np.asarray(_OPERATORS[type(node.ops[0])](*sides), np.float64)
    if isinstance(node, ast.IfExp):
        test, *ways = (_value(each, values) for each in (node.test, node.body, node.orelse))
        return np.where(test, *ways)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _FUNCTIONS[node.func.id](*(_value(each, values) for each in node.args))
    raise KeyError(type(node).__name__)
