# SPDX-License-Identifier: GPL-3.0-or-later
"""What the control board looks like: lines in its plane, X to image right and Y up, in metres."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import bpy
import numpy as np

from .board_layout import CONTROLS, TRAVEL

_LEFT, _RIGHT, _BOTTOM, _TOP = -7.8, 7.8, -9.3, 8.5
"""The board's edges, in travels."""
_KNOB, _SLIDER, _TEXT, _TITLE = 0.0065, 0.005, 0.009, 0.016
_LABEL_DROP = 0.014

Line = Sequence[tuple[float, float]]


def shape(name: str, draw: Callable[[str], bpy.types.Mesh]) -> bpy.types.Object:
    """The shape of that name, which all boards share; it lies in no scene."""
    item = bpy.data.objects.get(name)
    if item is None or item.type != "MESH":
        item = bpy.data.objects.new(name, draw(name))
    return item


def _mesh_of(name: str, closed: Iterable[Line], strokes: Iterable[Line] = ()) -> bpy.types.Mesh:
    """A mesh of lines, of which some end where they begin."""
    points: list[tuple[float, float, float]] = []
    edges: list[tuple[int, int]] = []
    for line, is_closed in [*((each, True) for each in closed), *((s, False) for s in strokes)]:
        first, count = len(points), len(line)
        points += [(x, y, 0.0) for x, y in line]
        edges += [
            (first + n, first + (n + 1) % count) for n in range(count if is_closed else count - 1)
        ]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, edges, [])
    return mesh


def _box(left: float, right: float, bottom: float, top: float) -> Line:
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def _circle(radius: float) -> Line:
    turns = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    return [(radius * math.cos(turn), radius * math.sin(turn)) for turn in turns]


def knob(name: str) -> bpy.types.Mesh:
    return _mesh_of(name, [_circle(_KNOB), _circle(_KNOB * 0.35)])


def slider(name: str) -> bpy.types.Mesh:
    return _mesh_of(name, [_circle(_SLIDER)])


def title(name: str) -> bpy.types.Mesh:
    place = (0.0, _TOP * TRAVEL + 0.5 * _TITLE)
    return _mesh_of(name, [], _letters([("Face", place, _TITLE)]))


def frame_lines(name: str) -> bpy.types.Mesh:
    """The board's edge, the way that each control can go, and what it is called."""
    edges = (edge * TRAVEL for edge in (_LEFT, _RIGHT, _BOTTOM, _TOP))
    lines: list[Line] = [_box(*edges)]
    labels = []
    for control in CONTROLS:
        x, y = (TRAVEL * part for part in control.place)
        (left, right), (down, up) = control.limits
        left, right, down, up = (TRAVEL * end for end in (left, right, down, up))
        lines.append(_box(x + left, x + right, y + down, y + up))
        if left != right and down != up:  # a cross where both axes are at rest
            lines += [[(x + left, y), (x + right, y)], [(x, y + down), (x, y + up)]]
        elif down < 0 < up:
            lines.append([(x - 0.1 * TRAVEL, y), (x + 0.1 * TRAVEL, y)])
        labels.append((control.label, (x, y + down - _LABEL_DROP), _TEXT))
    return _mesh_of(name, lines, _letters(labels))


def _letters(labels: list[tuple[str, tuple[float, float], float]]) -> list[Line]:
    """Texts as open lines, each centred at a place and of a height in metres."""
    lines: list[Line] = []
    for text, (x, y), height in labels:
        unit = height / 4
        left = x - 0.5 * _ADVANCE * unit * len(text)
        for number, letter in enumerate(text.upper()):
            for stroke in _STROKES.get(letter, "").split():
                digits = [int(digit) for digit in stroke]
                lines.append(
                    [
                        (left + (_ADVANCE * number + _NARROW * across) * unit, y + up * unit)
                        for across, up in zip(digits[::2], digits[1::2], strict=True)
                    ]
                )
    return lines


_ADVANCE, _NARROW = 2.4, 0.75
_STROKES = {
    "A": "0003142320 0222",
    "B": "00041423120212211000",
    "C": "24040020",
    "D": "000414232110 0010",
    "E": "24040020 0212",
    "F": "240400 0212",
    "G": "240400202212",
    "H": "0004 0222 2024",
    "I": "1014",
    "J": "24211001",
    "K": "0004 240220",
    "L": "040020",
    "M": "0004122420",
    "N": "00042024",
    "O": "0004242000",
    "P": "0004242202",
    "Q": "0004242000 1120",
    "R": "0004242202 1220",
    "S": "240402222000",
    "T": "0424 1410",
    "U": "04002024",
    "V": "041024",
    "W": "0400122024",
    "X": "0024 0420",
    "Y": "041224 1210",
    "Z": "04240020",
}
"""Letters as strokes through points of a grid, two digits each: 0 to 2 across, 0 to 4 up."""
