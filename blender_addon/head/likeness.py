"""The built-in head in the likeness of a measured face: arrays in, arrays out, no bpy.

The face's 468 vertices go where they were measured, less the expression of the photo; everything
else (skull, neck, teeth, eyes) follows them. Shape keys are the built-in head's, as large as the
parts of this face are, and lids that shut still do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..shared.parameters.head import FIELD_OF_VIEW
from ..shared.wire.messages import HeadMeasurement

N_FACE = 468
METRES = 0.01
_LIDS = {
    "Right": (33, 246, 161, 160, 159, 158, 157, 173, 133, 7, 163, 144, 145, 153, 154, 155),
    "Left": (263, 466, 388, 387, 386, 385, 384, 398, 362, 249, 390, 373, 374, 380, 381, 382),
}
"""Vertices around each eye, of the subject's right and left."""
_IRIS = {"Right": range(468, 473), "Left": range(473, 478)}
_EYE_INSET = 0.0025
_REACH = 0.012
"""Metres: nearer vertices of the face decide how others follow it."""
_SMALLEST, _LARGEST = 0.6, 1.6
"""Limits of how much smaller or larger than the built-in face a part may be taken to be."""
_ROUNDS = 4
_SEEN, _SEEN_WELL = 0.55, 0.8
_SEEN_BETTER = 0.3
"""How much a triangle must face the camera to take its colour from there, and a vertex to lend it
to those that the photo does not show; and by how much the other side must be seen better."""


@dataclass(frozen=True, eq=False)
class Likeness:
    """What makes the built-in head that of a person; see data/README.md for the arrays.

    Attributes:
        vertices: (n, 3) metres, at rest.
        key_offsets: (k, n, 3) metres.
        eye_centres: (2, 3) metres, the subject's right eye, then the left.
        eye_scale: of the built-in eyeball.
        photo_uv: (m, 3, 2) for each corner of each triangle, where its colour is in the photo;
            (0, 0) is the photo's lower left corner.
        camera: (3,) metres, where the photo's camera is, in the axes of the head's armature; it
            looks along +Y with +Z up and a vertical field of view of FIELD_OF_VIEW.
    """

    vertices: np.ndarray
    key_offsets: np.ndarray
    eye_centres: np.ndarray
    eye_scale: float
    photo_uv: np.ndarray
    camera: np.ndarray


def likeness(
    head: Mapping[str, np.ndarray], measured: HeadMeasurement, coefficients: Mapping[str, float]
) -> Likeness:
    """The head of a measured face; takes a fraction of a second.

    Args:
        head: arrays of the built-in head.
        coefficients: the photo's expression by shape key name.
    """
    base = head["vertices"].astype(np.float64)
    offsets = head["key_offsets"].astype(np.float64)
    amounts = np.array([coefficients.get(str(name), 0.0) for name in head["key_names"]])
    seen = _blender_axes(measured.vertices.astype(np.float64)) * METRES
    names = [str(name) for name in head["key_names"]]
    # The keys grow with the face, and the face at rest depends on the keys.
    scaled = offsets
    for _ in range(_ROUNDS):
        rest = seen - np.tensordot(amounts, scaled[:, :N_FACE], 1)
        follow = _following(base, rest - base[:N_FACE])
        vertices = base + follow
        scaled = offsets * _local_scale(base, vertices, head["triangles"])[None, :, None]
        _fit_lids(base, vertices, scaled, names)
    _let_lids_close(head, vertices, scaled, names)
    _place_lid_rims(head, vertices, scaled)
    scale = _eye_scale(base, vertices)
    posed = vertices + np.tensordot(amounts, scaled, 1)
    uv, seen_well = _projected(posed, head["triangles"], measured)
    rims, edges, _ = head["lid_rims"].astype(np.int64).T
    uv[rims], seen_well[rims] = uv[edges], seen_well[edges]  # skin, not what the photo has there
    return Likeness(
        vertices=vertices.astype(np.float32),
        key_offsets=scaled.astype(np.float32),
        eye_centres=_eye_centres(vertices, float(head["eye_radius"]) * scale).astype(np.float32),
        eye_scale=scale,
        photo_uv=_corner_uv(base, head["triangles"], uv, seen_well).astype(np.float32),
        camera=_camera(measured, head["pivot"].astype(np.float64)),
    )


def white_landmarks(measured: HeadMeasurement) -> np.ndarray:
    """(8, 2) pixels of the photo between the iris and the corners of both eyes."""
    points = []
    for side, lids in _LIDS.items():
        centre, *edge = measured.landmarks[list(_IRIS[side])]
        radius = float(np.mean([np.linalg.norm(point - centre) for point in edge]))
        for corner in measured.landmarks[[lids[0], lids[8]]]:
            way = corner - centre
            length = max(float(np.linalg.norm(way)), 1e-6)
            start = centre + way * min(radius / length, 0.8)
            points += [start + (corner - start) * part for part in (0.3, 0.55)]
    return np.array(points, np.float32)


def iris_landmarks(measured: HeadMeasurement) -> np.ndarray:
    """(8, 2) pixels of the photo half-way between pupil and edge, left and right in both eyes."""
    points = []
    for numbers in _IRIS.values():
        centre, *edge = measured.landmarks[list(numbers)]
        sides = sorted(edge, key=lambda point: abs(point[1] - centre[1]))[:2]
        points += [centre + (side - centre) * part for side in sides for part in (0.55, 0.75)]
    return np.array(points, np.float32)


def _blender_axes(points: np.ndarray) -> np.ndarray:
    """(…, 3) with y up and z out of the face → z up and the face towards −y."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)


def _face_axes(points: np.ndarray) -> np.ndarray:
    """The way back."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def _following(base: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """(n, 3) how all vertices move when the face's (468, 3) do: as those near them."""
    rest = base[N_FACE:]
    distances = np.linalg.norm(rest[:, None] - base[None, :N_FACE], axis=-1)
    weights = 1 / (distances**2 + _REACH**2) ** 2
    followed = weights @ moved / weights.sum(1, keepdims=True)
    return np.concatenate([moved, followed])


def _local_scale(base: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(n,) how much longer the edges around each vertex have become, smoothed."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = edges.astype(np.int64)

    def lengths(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)

    def around(values: np.ndarray) -> np.ndarray:
        total, count = np.zeros(len(base)), np.full(len(base), 1e-9)
        for end in (0, 1):
            np.add.at(total, edges[:, end], values)
            np.add.at(count, edges[:, end], 1)
        return total / count

    before, after = around(lengths(base)), around(lengths(vertices))
    ratio = np.where(before > 1e-9, after / np.maximum(before, 1e-9), 1.0)
    for _ in range(4):
        ratio = around((ratio[edges[:, 0]] + ratio[edges[:, 1]]) / 2)
    return np.clip(np.where(ratio > 0, ratio, 1.0), _SMALLEST, _LARGEST)


def _fit_lids(base: np.ndarray, vertices: np.ndarray, scaled: np.ndarray, names: list[str]) -> None:
    """Let the keys of an eye be as strong as this eye is open: narrow eyes close sooner."""
    for side, lids in _LIDS.items():
        upper, lower = list(lids[1:8]), list(lids[9:16])

        def opening(
            points: np.ndarray, upper: list[int] = upper, lower: list[int] = lower
        ) -> float:
            return float(np.linalg.norm(points[upper] - points[lower], axis=1).mean())

        around = float(_local_ratio(base, vertices, list(lids)))
        ratio = np.clip(opening(vertices) / opening(base) / around, _SMALLEST, _LARGEST)
        for key, name in enumerate(names):
            if name.startswith("eye") and name.endswith(side):
                scaled[key] *= ratio


def _local_ratio(base: np.ndarray, vertices: np.ndarray, numbers: list[int]) -> float:
    """How much wider a group of vertices has become."""
    return float(np.ptp(vertices[numbers, 0]) / np.ptp(base[numbers, 0]))


def _let_lids_close(
    head: Mapping[str, np.ndarray], vertices: np.ndarray, scaled: np.ndarray, names: list[str]
) -> None:
    """Correct the blinks in ``scaled``: they leave the share of the opening that the head's do.

    The edges of shut lids are a little apart; there the lids' rims meet.
    """
    base, offsets = head["vertices"].astype(np.float64), head["key_offsets"].astype(np.float64)
    _, edges, facing = head["lid_rims"].astype(np.int64).T
    for side, lids in _LIDS.items():
        key, ring = names.index(f"eyeBlink{side}"), np.array(lids)
        correction = np.zeros((len(base), 3))
        for one, other in zip(edges, facing, strict=True):
            if one not in ring:
                continue
            closed = base + offsets[key]
            left = np.linalg.norm(closed[one] - closed[other])
            left /= max(float(np.linalg.norm(base[one] - base[other])), 1e-9)
            here = vertices + scaled[key]
            wanted = left * (vertices[one] - vertices[other])
            # Who closes the eye, moves: the upper lid nearly all of the way.
            share = _share(offsets[key], one, other)
            correction[one] = share * (wanted - here[one] + here[other])
        reach = np.linalg.norm(offsets[key], axis=1)
        distances = np.linalg.norm(base[:, None] - base[ring][None], axis=-1)
        weights = 1 / (distances**2 + 0.002**2) ** 2
        spread = weights @ correction[ring] / weights.sum(1, keepdims=True)
        spread *= (reach / max(reach.max(), 1e-9))[:, None].clip(0, 1)
        spread[ring] = correction[ring]
        scaled[key] += spread


def _place_lid_rims(
    head: Mapping[str, np.ndarray], vertices: np.ndarray, scaled: np.ndarray
) -> None:
    """Put the rims of the lids where they are between the edges of the built-in head's lids."""
    base = head["vertices"].astype(np.float64)
    rims, edges, facing = head["lid_rims"].astype(np.int64).T
    gap = base[facing] - base[edges]
    inset = ((base[rims] - base[edges]) * gap * (1, 0, 1)).sum(1)
    inset = (inset / np.maximum((gap**2 * (1, 0, 1)).sum(1), 1e-12))[:, None]
    depth = base[rims] - base[edges] - inset * gap
    vertices[rims] = vertices[edges] + inset * (vertices[facing] - vertices[edges]) + depth
    scaled[:, rims] = scaled[:, edges]


def _share(offsets: np.ndarray, one: int, other: int) -> float:
    lengths = np.linalg.norm(offsets[[one, other]], axis=1)
    return float(lengths[0] / max(lengths.sum(), 1e-9))


def _eye_scale(base: np.ndarray, vertices: np.ndarray) -> float:
    def width(points: np.ndarray) -> float:
        return float(np.mean([np.ptp(points[list(lids), 0]) for lids in _LIDS.values()]))

    return float(np.clip(width(vertices) / width(base), 0.85, 1.15))


def _eye_centres(vertices: np.ndarray, radius: float) -> np.ndarray:
    """(2, 3) metres: balls just behind the edges of the lids, the right one first."""
    centres = []
    for lids in _LIDS.values():
        points = vertices[list(lids)].astype(np.float64)
        middle = points[:, [0, 2]].mean(0)
        inside = radius**2 - ((points[:, [0, 2]] - middle) ** 2).sum(1)
        front = points[:, 1] + np.sqrt(np.maximum(inside, 0.0))
        centres.append([middle[0], float(np.median(front)) + _EYE_INSET, middle[1]])
    return np.array(centres)


def _projected(
    posed: np.ndarray, triangles: np.ndarray, measured: HeadMeasurement
) -> tuple[np.ndarray, np.ndarray]:
    """Where the photo shows each vertex, (n, 2), and how well, (n,)."""
    transform = measured.transform.astype(np.float64)
    points = _face_axes(posed) / METRES @ transform[:3, :3].T + transform[:3, 3]
    depth = np.maximum(-points[:, 2], 1e-6)
    unit = 2 * math.tan(math.radians(FIELD_OF_VIEW) / 2)  # height of the photo at distance 1
    aspect = measured.width / measured.height
    u = 0.5 + points[:, 0] / depth / unit / aspect
    v = 0.5 + points[:, 1] / depth / unit
    normals = np.zeros_like(points)
    corners = points[triangles.astype(np.int64)]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for corner in range(3):
        np.add.at(normals, triangles[:, corner].astype(np.int64), faces)
    lengths = np.linalg.norm(normals, axis=1) * np.linalg.norm(points, axis=1)
    facing = -(normals * points).sum(1) / np.maximum(lengths, 1e-12)
    well = np.clip((facing - 0.05) / 0.4, 0, 1)
    inside = (u > 0) & (u < 1) & (v > 0) & (v < 1)
    return np.stack([u, v], 1), well * inside


def _corner_uv(
    base: np.ndarray, triangles: np.ndarray, uv: np.ndarray, seen: np.ndarray
) -> np.ndarray:
    """(m, 3, 2) where the corners of each triangle take their colour from.

    What the photo does not show takes it from the other side of the head, and where that is not
    shown either, from the nearest place that is.
    """
    corners = triangles.astype(np.int64)
    other = _mirror_images(base)[corners]
    here, there = seen[corners].mean(1), seen[other].mean(1)
    lenders = np.flatnonzero(seen >= _SEEN_WELL)
    if not len(lenders):
        return uv[corners]
    distances = np.linalg.norm(base[:, None] - base[None, lenders], axis=-1)
    borrowed = uv[lenders[distances.argmin(1)]]
    chosen = np.where((there > here + _SEEN_BETTER)[:, None, None], uv[other], uv[corners])
    is_seen = np.maximum(here, there) >= _SEEN
    return np.where(is_seen[:, None, None], chosen, borrowed[corners])


def _mirror_images(base: np.ndarray) -> np.ndarray:
    """(n,) the vertex nearest to each one's mirror image; the built-in head is symmetric."""
    mirrored = base * np.array([-1.0, 1.0, 1.0])
    return np.linalg.norm(mirrored[:, None] - base[None], axis=-1).argmin(1)


def _camera(measured: HeadMeasurement, pivot: np.ndarray) -> np.ndarray:
    """Where the camera is, seen from a head whose bone turns it about the pivot (metres)."""
    linear = measured.transform[:3, :3].astype(np.float64)
    scale = float(np.cbrt(np.linalg.det(linear)))
    rotation, translation = linear / scale, measured.transform[:3, 3].astype(np.float64) / scale
    centre = _face_axes(pivot) / METRES
    return _blender_axes(centre - rotation @ centre - translation) * METRES
