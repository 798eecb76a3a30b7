# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions and mouth shapes to begin with, as poses of the control board. No bpy in here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ..extension import FOLDER
from ..shared.mapping.presets import read_presets
from ..shared.parameters.schema import FACE_SCHEMA
from .board_layout import CONTROLS, PREFIX, SIDES, board_pose

EXPRESSIONS, VISEMES = "Expressions", "Visemes"
_SPEECH = (
    *("jaw", "jaw_forward", "mouth", "close", "tongue", "pucker", "funnel", "upper_lip"),
    *("lower_lip", "press"),
)
"""Controls that a viseme sets, on both sides; what is not named keeps its mood."""


@dataclass(frozen=True)
class FacePose:
    """A pose of the board.

    Attributes:
        name: for a person.
        catalog: EXPRESSIONS or VISEMES.
        values: coefficients by parameter; the others are 0.
        channels: the control, the axis (0 to image right, 1 up) and its place in travels, of all
            that the pose says something about.
    """

    name: str
    catalog: str
    values: dict[str, float]
    channels: tuple[tuple[str, int, float], ...]


@cache
def face_poses() -> tuple[FacePose, ...]:
    """All that are shipped; expressions set everything but the gaze, visemes what speech moves."""
    written = json.loads((FOLDER / "data" / "face_poses.json").read_text(encoding="utf-8"))
    poses = [_pose(name, EXPRESSIONS, _both_sides(values)) for name, values in written.items()]
    visemes: dict[str, dict[str, float]] = {"viseme_sil": {}}
    for row in read_presets(FOLDER / "presets")["meta-visemes"].rows:
        visemes.setdefault(row.controls[0], {})[row.parameter] = row.amount
    for control, values in visemes.items():
        poses.append(_pose(f"Viseme {control.removeprefix('viseme_')}", VISEMES, values))
    return tuple(poses)


def _both_sides(values: dict[str, float]) -> dict[str, float]:
    """``mouthSmile`` is said once for left and right."""
    sided = {}
    for name, value in values.items():
        names = [name] if name in FACE_SCHEMA.index else [name + side for side in SIDES.values()]
        sided.update(dict.fromkeys(names, value))
    return sided


def _pose(name: str, catalog: str, values: dict[str, float]) -> FacePose:
    places = board_pose(values)
    channels = tuple(
        (bone, axis, places[bone][axis])
        for bone, axis in _channels()
        if _is_set(catalog, bone, axis)
    )
    return FacePose(name, catalog, values, channels)


def _channels() -> Iterator[tuple[str, int]]:
    for control in CONTROLS:
        for axis, (least, most) in enumerate(control.limits):
            if least != most:
                yield control.bone, axis


def _is_set(catalog: str, bone: str, axis: int) -> bool:
    name = bone.removeprefix(PREFIX).split(".")[0]
    if catalog == EXPRESSIONS:
        return name not in ("gaze", "eye")
    # A corner that is stretched sideways for a sound may still smile.
    return name in _SPEECH or (name == "corner" and axis == 0)
