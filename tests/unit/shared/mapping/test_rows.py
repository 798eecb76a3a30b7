"""Rows of a mapping: what they come to, and that the driver's expression says the same."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photorig.shared.errors import InputError
from photorig.shared.mapping.expression import expression_of, terms_of, variable_names
from photorig.shared.mapping.rows import (
    ADD,
    COMBINATIONS,
    MAX,
    MappingRow,
    Source,
    combined,
    mapped,
)

JAW = Source("SHAPE_KEY", "Face", "jaw")
numbers = st.floats(-100, 100, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3)


def sources(count: int) -> list[Source]:
    return [Source("SHAPE_KEY", "Face", f"key {number}") for number in range(count)]


@st.composite
def mapping_rows(draw: st.DrawFn, largest: int = 4) -> list[MappingRow]:
    rows = []
    for source in sources(draw(st.integers(1, largest))):
        start, width = draw(numbers), draw(numbers.filter(lambda value: abs(value) > 0.01))
        rows.append(
            MappingRow(
                source,
                "headYaw",
                start=start,
                end=float(np.float32(start + width)),
                amount=draw(numbers.filter(bool)),
                invert=draw(st.booleans()),
                clamp=draw(st.booleans()),
                combine=draw(st.sampled_from(sorted(COMBINATIONS))),
            )
        )
    return rows


def as_blender_does(expression: str, values: dict[str, float]) -> float:
    """The expression evaluated by Python, whose language it is, with Blender's clamp."""
    names = {"clamp": lambda value: min(max(value, 0.0), 1.0), "min": min, "max": max}
    return float(_evaluate(expression, {**names, **values}))


def _evaluate(expression: str, names: dict[str, object]) -> float:
    import ast
    import operator

    operators = {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
    }

    def value(node: ast.AST) -> float:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return names[node.id]
            case ast.UnaryOp():
                return -value(node.operand)
            case ast.BinOp():
                return operators[type(node.op)](value(node.left), value(node.right))
            case ast.Call():
                return names[node.func.id](*map(value, node.args))
        raise AssertionError(ast.dump(node))

    return value(ast.parse(expression, mode="eval").body)


def test_a_range_is_stretched_over_the_amount() -> None:
    row = MappingRow(JAW, "jawOpen", start=0.2, end=0.7, amount=0.9)
    assert row.contribution(0.2) == 0
    assert row.contribution(0.7) == pytest.approx(0.9)
    assert row.contribution(1.2) == pytest.approx(1.8)
    assert replace(row, clamp=True).contribution(1.2) == pytest.approx(0.9)
    assert replace(row, invert=True).contribution(0.2) == pytest.approx(0.9)


@given(mapping_rows(1), st.floats(-10, 10))
def test_a_contribution_tells_the_source_it_came_from(rows: list[MappingRow], value: float) -> None:
    row = replace(rows[0], clamp=False)
    back = row.source_value(row.contribution(value))
    assert back == pytest.approx(value, abs=1e-3 * (1 + abs(row.start) + abs(row.end)))


def test_rows_join_those_before_them_in_order() -> None:
    first, second, third = sources(3)
    rows = [
        MappingRow(first, "jawOpen"),
        MappingRow(second, "jawOpen", combine=ADD),
        MappingRow(third, "jawOpen", combine=MAX),
    ]
    assert combined(rows, {first: 0.1, second: 0.2, third: 0.25}) == pytest.approx(0.3)
    assert combined(rows, {first: 0.1, second: 0.2, third: 0.5}) == 0.5


def test_parameters_stay_within_their_limits_and_get_their_neutral_offset() -> None:
    row = MappingRow(JAW, "jawOpen", amount=3.0)
    assert mapped([row], {JAW: 1.0}) == {"jawOpen": 1.0}
    assert mapped([row], {JAW: -1.0}) == {"jawOpen": -1.0}
    assert mapped([row], {JAW: 0.1}, {"jawOpen": 0.25}) == {"jawOpen": pytest.approx(0.55)}


@given(mapping_rows(), st.lists(numbers, min_size=4, max_size=4), numbers)
def test_the_expression_gives_the_same_number(
    rows: list[MappingRow], values: list[float], neutral: float
) -> None:
    expression = expression_of(rows, neutral)
    names = dict(zip(variable_names(4), values, strict=True))
    given_values = dict(zip(sources(4), values, strict=True))
    expected = combined(rows, given_values) + neutral
    scale = math.prod(
        1 + abs(row.amount) * (1 + abs((value - row.start) / (row.end - row.start)))
        for row, value in zip(rows, values, strict=False)
    )
    assert as_blender_does(expression, names) == pytest.approx(expected, abs=1e-4 * scale)


@given(mapping_rows(), numbers)
def test_an_expression_is_read_back_to_the_rows_it_was_made_of(
    rows: list[MappingRow], neutral: float
) -> None:
    read = terms_of(expression_of(rows, neutral))
    assert read is not None
    terms, offset = read
    assert offset == pytest.approx(neutral, rel=1e-6)
    assert [term.variable for term in terms] == variable_names(len(rows))
    for term, row in zip(terms, rows, strict=True):
        assert (term.invert, term.clamp) == (row.invert, row.clamp)
        near = 1e-5 * (1 + abs(row.start) + abs(row.end))
        assert term.start == pytest.approx(row.start, abs=near)
        assert term.end == pytest.approx(row.end, abs=near)
        assert term.amount == pytest.approx(row.amount, rel=1e-5)
    assert [term.combine for term in terms[1:]] == [row.combine for row in rows[1:]]


@pytest.mark.parametrize(
    ("expression", "amounts"),
    [
        ("smile", [1.0]),
        ("-smile", [-1.0]),
        ("(a + b) / 2", [0.5, 0.5]),
        ("(- x + y) * 57.3", [-57.3, 57.3]),
        ("0.5 * a + 0.25 * b", [0.5, 0.25]),
    ],
)
def test_plain_sums_written_by_hand_are_understood(expression: str, amounts: list[float]) -> None:
    read = terms_of(expression)
    assert read is not None
    assert [term.amount for term in read[0]] == pytest.approx(amounts)


@pytest.mark.parametrize(
    "expression", ["", "sin(a)", "a if b else c", "a * b * c + d(", "1 + 2", "a ** 2", "a / 0", "5"]
)
def test_other_expressions_are_left_alone(expression: str) -> None:
    assert terms_of(expression) is None


def test_more_rows_than_a_driver_can_hold_are_refused_with_a_sentence() -> None:
    rows = [
        MappingRow(source, "jawOpen", start=0.123, end=0.987, amount=0.789, clamp=True)
        for source in sources(12)
    ]
    with pytest.raises(InputError, match="12 rows for jawOpen"):
        expression_of(rows)
    assert len(expression_of(rows[:6])) <= 255


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (MappingRow(JAW, "jawOpne"), "no parameter"),
        (MappingRow(JAW, "jawOpen", start=1.0, end=1.0), "range is empty"),
        (MappingRow(JAW, "jawOpen", end=math.nan), "not finite"),
        (MappingRow(replace(JAW, control=""), "jawOpen"), "no source"),
        (MappingRow(replace(JAW, kind="BONE"), "jawOpen"), "no value"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(row: MappingRow, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        row.check()
