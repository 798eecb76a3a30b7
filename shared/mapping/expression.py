"""Rows of a mapping as an expression for one of Blender's drivers, and back.

Only what Blender calls a simple expression is written: it runs where scripts from files may not.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from .rows import ADD, MAX, MIN, MULTIPLY, MappingRow

MAX_LENGTH = 255
"""Blender cuts a driver's expression after this many letters."""
_CALLS = {"max": MAX, "min": MIN}


def variable_names(count: int) -> list[str]:
    """Names of the driver's variables, one for each row; short, because the expression must be."""
    return [f"v{number}" for number in range(count)]


def expression_of(
    rows: Sequence[MappingRow], neutral: float = 0.0, guards: Sequence[str] = ()
) -> str:
    """The expression of one parameter's rows, in variables of the names ``variable_names`` gives.

    Args:
        guards: for each row the sum of variables, as "m0+h0", while which is not 0 its source
            counts as 0; "" for none.

    Raises:
        InputError: it is longer than Blender allows.
    """
    expression = ""
    guards = guards or [""] * len(rows)
    for row, name, guard in zip(rows, variable_names(len(rows)), guards, strict=True):
        expression = _joined(expression, row, f"{name}*({guard}<1)" if guard else name)
    if np.float32(neutral):
        expression += _signed(neutral)
    if len(expression) > MAX_LENGTH:
        raise InputError(
            f"{len(rows)} rows for {rows[0].parameter} are more than a driver can hold",
            "Use fewer rows, or ranges from 0 to 1 without clamping.",
        )
    return expression


def _joined(before: str, row: MappingRow, name: str) -> str:
    term = _term(row, name)
    if not before:
        return term
    if row.combine == ADD:
        return f"{before}{term}" if term.startswith("-") else f"{before}+{term}"
    if row.combine == MULTIPLY:
        return f"({before})*({term})"
    return f"{row.combine.lower()}({before},{term})"


def _term(row: MappingRow, name: str) -> str:
    """``amount*clamp(1-(v-start)/width)`` without the parts that do nothing."""
    fraction = f"({name}{_signed(-row.start)})" if np.float32(row.start) else name
    width = float(np.float32(row.end) - np.float32(row.start))
    if width != 1 or np.float32(row.start):  # without it a start would read as a neutral offset
        fraction += f"/{_number(width)}"
    is_bare = fraction == name
    if row.invert:
        fraction = f"1-{fraction}"
    if row.clamp:
        fraction = f"clamp({fraction})"
    if np.float32(row.amount) == 1 and (row.clamp or not row.invert):
        return fraction
    if not (is_bare or row.clamp) or (row.invert and not row.clamp):
        fraction = f"({fraction})"
    return f"{_number(row.amount)}*{fraction}"


def _signed(value: float) -> str:
    text = _number(value)
    return text if text.startswith("-") else f"+{text}"


def _number(value: float) -> str:
    """The shortest decimals that give the same float32, never with an exponent."""
    return np.format_float_positional(np.float32(value), trim="-")


@dataclass(frozen=True)
class Term:
    """A row as an expression tells it: all but where the number comes from.

    Attributes:
        variable: name of the driver's variable.
        start, end, amount, invert, clamp, combine: as in MappingRow.
    """

    variable: str
    start: float = 0.0
    end: float = 1.0
    amount: float = 1.0
    invert: bool = False
    clamp: bool = False
    combine: str = ADD


def terms_of(expression: str) -> tuple[list[Term], float] | None:
    """The rows and the neutral offset of an expression, None where it is of another form.

    Reads what ``expression_of`` writes, and sums written by hand, scaled or not.
    """
    try:
        node = _Unguarded().visit(ast.parse(expression.strip(), mode="eval")).body
        neutral = 0.0
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            constant = _constant(node.right)
            if constant is not None:
                neutral = constant if isinstance(node.op, ast.Add) else -constant
                node = node.left
        return _terms(node), neutral
    except (SyntaxError, _OtherForm, RecursionError, ZeroDivisionError):
        return None


class _Unguarded(ast.NodeTransformer):
    """Takes the guards away: ``v*(m<1)`` to ``v``."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mult) and isinstance(node.right, ast.Compare):
            return node.left
        return node


class _OtherForm(Exception):
    """The expression is not one that rows can stand for."""


def _terms(node: ast.expr) -> list[Term]:
    try:
        return [_read_term(node)]
    except _OtherForm:
        pass
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id not in _CALLS or len(node.args) != 2 or node.keywords:
            raise _OtherForm
        joined = replace(_read_term(node.args[1]), combine=_CALLS[node.func.id])
        return [*_terms(node.args[0]), joined]
    if isinstance(node, ast.BinOp):
        return _binary(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _scaled(_terms(node.operand), -1)
    raise _OtherForm


def _binary(node: ast.BinOp) -> list[Term]:
    factor = _constant(node.right)
    if isinstance(node.op, ast.Add):
        return [*_terms(node.left), _read_term(node.right)]
    if isinstance(node.op, ast.Sub):
        return [*_terms(node.left), *_scaled([_read_term(node.right)], -1)]
    if isinstance(node.op, ast.Mult):
        if factor is not None:
            return _scaled(_terms(node.left), factor)
        return [*_terms(node.left), replace(_read_term(node.right), combine=MULTIPLY)]
    if isinstance(node.op, ast.Div) and factor is not None:
        return _scaled(_terms(node.left), 1 / factor)
    raise _OtherForm


def _scaled(terms: list[Term], factor: float) -> list[Term]:
    """A factor on a whole sum is one on each of its terms."""
    if any(term.combine != ADD for term in terms):
        raise _OtherForm
    return [replace(term, amount=term.amount * factor) for term in terms]


def _read_term(node: ast.expr) -> Term:
    amount = 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        amount, node = (-1.0 if isinstance(node.op, ast.USub) else 1.0), node.operand
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        factor = _constant(node.left)
        if factor is None:
            raise _OtherForm
        amount, node = amount * factor, node.right
    clamp = (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "clamp"
        and len(node.args) == 1
        and not node.keywords
    )
    if clamp:
        assert isinstance(node, ast.Call)
        node = node.args[0]
    invert = (
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and _constant(node.left) == 1
    )
    if invert:
        assert isinstance(node, ast.BinOp)
        node = node.right
    variable, start, width = _read_fraction(node)
    return Term(variable, start, start + width, amount, invert, clamp)


def _read_fraction(node: ast.expr) -> tuple[str, float, float]:
    """Variable, start and width of ``(v-start)/width``."""
    width = 1.0
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        divisor = _constant(node.right)
        if divisor is None:
            raise _OtherForm
        width, node = divisor, node.left
    start = 0.0
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        constant = _constant(node.right)
        if constant is None:
            raise _OtherForm
        start, node = (constant if isinstance(node.op, ast.Sub) else -constant), node.left
    if not isinstance(node, ast.Name) or width == 0:
        raise _OtherForm
    return node.id, start, width


def _constant(node: ast.expr) -> float | None:
    """The number that a node is, None where it is none."""
    sign = 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        sign, node = (-1.0 if isinstance(node.op, ast.USub) else 1.0), node.operand
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return sign * float(value)
