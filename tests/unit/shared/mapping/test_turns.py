"""Turns: what a viewer sees, whatever a bone's own axes are; and that the expressions say it."""

from __future__ import annotations

import ast
import math
import operator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photorig.shared.mapping.expression import expression_of, terms_of
from photorig.shared.mapping.rows import ANGLES, BODY, CAMERA, TURN, WORLD, MappingRow, Source
from photorig.shared.mapping.turns import (
    ANGLE_EXPRESSIONS,
    LETTERS,
    angle,
    inverse,
    product,
    relative_expressions,
    turn,
    turn_expressions,
)

quaternions = st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(
    lambda values: np.linalg.norm(values) > 0.1
)
small = st.floats(-80, 80)


def unit(values: list[float]) -> np.ndarray:
    return np.array(values) / np.linalg.norm(values)


def about(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    half = math.radians(degrees) / 2
    return np.array([math.cos(half), *(math.sin(half) * np.array(axis))])


def seen(yaw: float, pitch: float, roll: float) -> np.ndarray:
    turned = product(about((0, 0, 1), yaw), about((-1, 0, 0), pitch))
    return product(turned, about((0, -1, 0), roll))


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_FUNCTIONS = {"atan2": math.atan2, "asin": math.asin, "max": max, "min": min}


def evaluate(expression: str, names: dict[str, float]) -> float:
    """A simple expression as Blender evaluates it."""

    def value(node: ast.AST) -> float:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return names[node.id]
            case ast.UnaryOp():
                return -value(node.operand)
            case ast.BinOp():
                return _OPERATORS[type(node.op)](value(node.left), value(node.right))
            case ast.Call():
                return _FUNCTIONS[node.func.id](*map(value, node.args))
        raise AssertionError(ast.dump(node))

    return value(ast.parse(expression, mode="eval").body)


@given(small, small, small, quaternions, quaternions)
def test_angles_are_those_a_viewer_sees_whatever_the_axes_at_rest(
    yaw: float, pitch: float, roll: float, frame: list[float], rest: list[float]
) -> None:
    turned, f, r = seen(yaw, pitch, roll), unit(frame), unit(rest)
    source = Source(TURN, "Rig", "head", "YAW", frame=tuple(f), rest=tuple(r))
    in_world = product(product(product(f, turned), inverse(f)), r)
    found = {
        WORLD: turn(replace(source, space=WORLD), in_world),
        BODY: turn(replace(source, space=BODY), product(inverse(r), in_world)),
    }
    for space, quaternion in found.items():
        angles = [math.degrees(angle(quaternion, channel)) for channel in ANGLES]
        assert angles == pytest.approx((yaw, pitch, roll), abs=1e-3), space


@given(quaternions, quaternions, quaternions, quaternions)
def test_the_expressions_say_the_same(
    now: list[float], frame: list[float], rest: list[float], camera: list[float]
) -> None:
    q, viewer = unit(now), unit(camera)
    source = Source(TURN, "Rig", "head", "YAW", frame=tuple(unit(frame)), rest=tuple(unit(rest)))
    for space in (BODY, WORLD, CAMERA):
        chosen = replace(source, space=space)
        names = dict(zip(LETTERS, q, strict=True))
        if space == CAMERA:
            names |= dict(zip("abcd", viewer, strict=True))
            relative = [evaluate(text, names) for text in relative_expressions()]
            names = dict(zip(LETTERS, relative, strict=True))
        turned = [evaluate(text, names) for text in turn_expressions(chosen)]
        expected = turn(chosen, q, viewer)
        assert turned == pytest.approx(expected, abs=1e-5)
        names = dict(zip(LETTERS, expected, strict=True))
        for channel, text in ANGLE_EXPRESSIONS.items():
            assert evaluate(text, names) == pytest.approx(angle(expected, channel), abs=1e-9)


def test_a_face_that_looks_into_the_camera_is_straight() -> None:
    source = Source(TURN, "Rig", "head", "YAW", space=CAMERA)
    in_front = about((1, 0, 0), 90)  # at -Y, looking along +Y, up is +Z
    straight = turn(source, np.array([1.0, 0, 0, 0]), in_front)
    assert [angle(straight, channel) for channel in ANGLES] == pytest.approx((0, 0, 0), abs=1e-9)
    from_its_left = product(about((0, 0, 1), 30), in_front)
    aside = turn(source, np.array([1.0, 0, 0, 0]), from_its_left)
    assert math.degrees(angle(aside, "YAW")) == pytest.approx(-30)


def test_guards_are_read_away_from_expressions() -> None:
    key = Source("SHAPE_KEY", "Face", "jaw")
    rows = [
        MappingRow(key, "jawOpen"),
        MappingRow(key, "jawOpen", start=0.25, end=0.5, amount=0.7, invert=True, clamp=True),
        MappingRow(key, "jawOpen", amount=-2, combine="MAX"),
        MappingRow(key, "jawOpen", amount=0.5, combine="MULTIPLY"),
    ]
    plain = terms_of(expression_of(rows, 0.25))
    guarded = expression_of(rows, 0.25, ["m0+h0", "m1+h0", "", "m3"])
    assert "m0+h0" in guarded
    assert terms_of(guarded) == plain
