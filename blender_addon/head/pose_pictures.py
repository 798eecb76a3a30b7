# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of expressions: the built-in head, drawn as a cloud of shaded points.

Blender renders previews of poses only from a window with a scene around them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from .board_layout import SIDES
from .build import BLINK_RETREAT, COLOURS, IRIS_ANGLE, PUPIL_ANGLE, SQUINT_RETREAT, head_arrays

EDGE = 128
_FINE = 2
"""Points that a pixel's edge is made of."""
_GRIDS = (6, 10, 16, 24, 40)
"""Points along the edges of triangles of at most so many pixels."""
_EYE_POINTS = 3000
_MIDDLE, _HEIGHT = (0.0, -0.016), 0.185
"""Metres: what is in the picture's middle, and how high the picture is."""
_LIGHT = (-0.36, -0.82, 0.45)
_AMBIENT = 0.25
_BACKGROUND = 0.02


def picture_of(values: Mapping[str, float]) -> np.ndarray:
    """(EDGE, EDGE, 4) float32 sRGB from the bottom row up, as Blender has pictures.

    Args:
        values: coefficients by parameter; the others are 0.
    """
    clouds = [_skin(values), *(_eye(side, values) for side in SIDES.values())]
    points, colours = (np.concatenate(parts) for parts in zip(*clouds, strict=True))
    size = EDGE * _FINE
    picture = np.full((size, size, 3), _BACKGROUND)
    columns, rows = ((points[:, [0, 2]] - _MIDDLE) / _HEIGHT * size + size / 2).astype(int).T
    seen = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    order = np.flatnonzero(seen)[np.argsort(-points[seen, 1], kind="stable")]
    picture[rows[order], columns[order]] = colours[order]  # the nearest is the last to be set
    picture = picture.reshape(EDGE, _FINE, EDGE, _FINE, 3).mean((1, 3))
    result = np.ones((EDGE, EDGE, 4), np.float32)
    result[..., :3] = picture.clip(0, 1) ** (1 / 2.2)
    return result


def _skin(values: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) in metres and their colours (n, 3) of all but the eyes."""
    data = head_arrays()
    vertices, triangles = data["vertices"].astype(np.float64), data["triangles"].astype(int)
    for name, offsets in zip(data["key_names"].tolist(), data["key_offsets"], strict=True):
        vertices = vertices + values.get(name, 0.0) * offsets
    normals = _smooth_normals(vertices, triangles)
    albedo = np.array([COLOURS[name] for name in data["material_names"].tolist()])
    albedo = albedo[data["materials"]]
    seen = normals[triangles].min(1)[:, 1] < 0  # one corner looks at us
    edge = np.ptp(vertices[triangles], axis=1)[:, [0, 2]].max(1) / _HEIGHT * EDGE * _FINE
    clouds = []
    for count, (least, most) in zip(_GRIDS, pairwise((0.0, *_GRIDS)), strict=True):
        part = seen & (edge >= least) & (edge < most)
        one, other = (grid.ravel() for grid in np.mgrid[0:count, 0:count] / (count - 1))
        weights = np.stack([one, other, 1 - one - other], 1)[one + other <= 1 + 1e-9]
        colours = np.repeat(albedo[part][:, None], len(weights), 1).reshape(-1, 3)
        facing = (weights @ normals[triangles[part]]).reshape(-1, 3)
        points = (weights @ vertices[triangles[part]]).reshape(-1, 3)
        clouds.append((points, _lit(colours, facing)))
    points, colours = (np.concatenate(parts) for parts in zip(*clouds, strict=True))
    return points, colours


def _smooth_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    corners = vertices[triangles]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for column in triangles.T:
        np.add.at(normals, column, flat)
    return normals


def _eye(side: str, values: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """The same of an eyeball, turned by its gaze."""
    data = head_arrays()
    number = np.arange(_EYE_POINTS) + 0.5
    height, turn = 1 - 2 * number / _EYE_POINTS, math.pi * (1 + math.sqrt(5)) * number
    flat = np.sqrt(1 - height**2)
    ball = np.stack([flat * np.cos(turn), flat * np.sin(turn), height], 1)
    to_side, to_top = data["gaze_angles"].tolist()
    looks = {way: values.get(f"eyeLook{way}{side}", 0.0) for way in ("Out", "In", "Up", "Down")}
    across = (looks["Out"] - looks["In"]) * to_side * (1 if side == "Left" else -1)
    up = (looks["Up"] - looks["Down"]) * to_top
    sight = (math.sin(across) * math.cos(up), -math.cos(across) * math.cos(up), math.sin(up))
    angle = np.arccos(np.clip(ball @ sight, -1, 1))
    parts = [angle < PUPIL_ANGLE, angle < IRIS_ANGLE]
    colours = [np.array(COLOURS[name]) for name in ("Pupil", "Iris", "Eye White")]
    albedo = np.select([part[:, None] for part in parts], colours[:2], colours[2])
    centre = data["eye_centres"][0 if side == "Right" else 1].astype(np.float64)
    centre[1] += values.get(f"eyeBlink{side}", 0.0) * BLINK_RETREAT
    centre[1] += values.get(f"eyeSquint{side}", 0.0) * SQUINT_RETREAT
    return centre + float(data["eye_radius"]) * ball, _lit(albedo, ball)


def _lit(albedo: np.ndarray, normals: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    light = np.maximum(normals @ _LIGHT, 0)[:, None] / np.maximum(lengths, 1e-12)
    return albedo * (_AMBIENT + light)
