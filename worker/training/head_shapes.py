"""ARKit shape keys for the canonical face, learned from generated faces.

The pose-free vertices of many sampled faces are regressed on the coefficients that Net3D measured
on them. The regression is a ridge over all coefficients at once, so each shape is what changes with
one coefficient while the others stay (a partial effect); head pose enters as a nuisance, because
pose-free vertices still carry a trace of it. Every sample also counts mirrored, which makes the
shapes of left and right mirror images of each other exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.schema import ARKIT_52, ARKIT_NAMES

from .face_samples import FaceSamples
from .face_topology import (
    EYE_RADIUS,
    FACE_BORDER,
    INNER_LIPS,
    OUTER_LIPS,
    eye_centres,
    lid_rings,
    mirror_vertices,
)

RIDGE = 1.5
"""Noise variance over the expected variance of a shape's offsets at value 1, both in cm²."""
POSE_SCALE = 15.0
LID_THICKNESS = 0.2
_SIDEWAYS = 0.3  # of the blink's extrapolation: lids close downwards, the rest pinches the corners
_LIP_CONTACT = 0.9  # of the gap between the lips; all of it would let them touch in a line
_OPENNESS = 0.8  # how far the rest face goes from the canonical face's sleepy lids to open eyes
LARGEST_GAIN = 1.6
EXAGGERATION = {"mouthSmile": 1.8, "mouthUpperUp": 1.25, "mouthPucker": 1.5, "eyeWide": 1.2}
"""Shapes that read too faint on a bare mesh, where skin, teeth and cheeks do not help them."""
LONGEST_MOVE = {"jawOpen": 2.8, "mouthSmile": 1.5}
LONGEST_MOVE_ELSE = 1.1
"""cm at value 1; what a linear extrapolation sends further would tear the face."""
FEWEST_SAMPLES = 500
_HEAD = 3  # the first three parameters are head angles, the coefficients follow
_COEFFICIENTS = slice(_HEAD, _HEAD + len(ARKIT_NAMES))


@dataclass(frozen=True)
class HeadShapes:
    """Face at rest and what each shape key adds to it.

    Attributes:
        rest: (468, 3) float32 in cm, axes of the canonical face.
        names: k ARKit names.
        offsets: (k, 468, 3) float32 in cm at value 1.
        support: (k,) standard deviation of each coefficient in the samples; little of it means that
            the shape is a guess.
    """

    rest: np.ndarray
    names: tuple[str, ...]
    offsets: np.ndarray
    support: np.ndarray


def learn_shapes(samples: FaceSamples, canonical: np.ndarray) -> HeadShapes:
    """Shapes for all coefficients of ARKIT_52, good ones and bad.

    Args:
        samples: at least FEWEST_SAMPLES faces that were found.
        canonical: (468, 3) canonical face in cm.

    Raises:
        InputError: too few faces.
    """
    samples = samples.usable()
    if len(samples) < FEWEST_SAMPLES:
        raise InputError(
            f"{len(samples)} faces are too few to learn shapes from",
            f"Sample at least {FEWEST_SAMPLES}.",
        )
    mirror = mirror_vertices(canonical)
    parameters, vertices = _with_mirror_images(samples, mirror)
    design = _design(parameters)
    centred = design - design.mean(0)
    deviation = (vertices - vertices.mean(0)).reshape(len(vertices), -1)
    gram = centred.T @ centred
    effect = np.linalg.solve(gram + RIDGE * np.eye(len(gram)), centred.T @ deviation)
    n_shapes = len(ARKIT_NAMES)
    offsets = effect[:n_shapes].reshape(n_shapes, -1, 3)
    neutral = vertices.mean(0) - np.tensordot(parameters[:, _COEFFICIENTS].mean(0), offsets, 1)
    offsets = offsets * _gain(gram.diagonal()[:n_shapes])[:, None, None]
    names = ARKIT_NAMES
    rest = _closed_lips(_rest(canonical, neutral, mirror))
    offsets = _localised(names, offsets, canonical, mirror)
    offsets = _limited(names, offsets)
    offsets = _closed_lids(names, offsets, rest, mirror)
    support = parameters[:, _COEFFICIENTS].std(0)
    return HeadShapes(
        rest.astype(np.float32), names, offsets.astype(np.float32), support.astype(np.float32)
    )


def _with_mirror_images(samples: FaceSamples, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (2n, 58) and vertices (2n, 468, 3), float64."""
    partner = np.array([ARKIT_52.index[p.mirror] for p in ARKIT_52.parameters])
    parameters = samples.parameters.astype(np.float64)
    mirrored = parameters[:, partner]
    for name in ("headYaw", "headRoll", "headX"):
        mirrored[:, ARKIT_52.index[name]] *= -1
    vertices = samples.vertices.astype(np.float64)
    flipped = vertices[:, mirror] * np.array([-1.0, 1.0, 1.0])
    return np.concatenate([parameters, mirrored]), np.concatenate([vertices, flipped])


def _design(parameters: np.ndarray) -> np.ndarray:
    """Coefficients, then the nuisances: pose, its squares and what turning both ways shares."""
    pose = parameters[:, :_HEAD] / POSE_SCALE
    return np.concatenate(
        [parameters[:, _COEFFICIENTS], pose, pose**2, pose[:, :1] * pose[:, 1:2], np.abs(pose)], 1
    )


def _gain(energy: np.ndarray) -> np.ndarray:
    """Undoes what the ridge took from coefficients that vary little, up to LARGEST_GAIN."""
    return np.minimum((energy + RIDGE) / np.maximum(energy, 1e-9), LARGEST_GAIN)


def _smooth_step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between (low > high falls instead)."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _distance(vertices: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(n,) distance of each vertex to the nearest of the points."""
    return np.linalg.norm(vertices[:, None] - points[None], axis=-1).min(1)


def _rest(canonical: np.ndarray, neutral: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The canonical face with the open eyes and the closed lips of the neutral sampled face.

    The canonical face itself has sleepy lids and parted lips, which would be in every picture.
    Only the shape of eyes and lips is taken, not their place: that is one person's build.
    """
    rest = canonical.astype(np.float64).copy()
    openings = [np.concatenate(ring) for ring in lid_rings(mirror).values()]
    parts = [(ring, 1.6, _OPENNESS) for ring in openings] + [(np.array(INNER_LIPS), 2.2, 1.0)]
    for ring, reach, amount in parts:
        shift = neutral[ring].mean(0) - canonical[ring].mean(0)
        weight = _smooth_step(_distance(canonical, canonical[ring]), reach, 0.0)
        rest += amount * weight[:, None] * (neutral - canonical - shift)
    return rest


def _closed_lips(rest: np.ndarray) -> np.ndarray:
    """Brings the inner edges of the lips together; what lies around them follows."""
    upper = np.array(INNER_LIPS[1:10])
    lower = np.array(INNER_LIPS[:10:-1])
    gap = rest[upper] - rest[lower]
    correction = np.zeros_like(rest)
    correction[upper], correction[lower] = -_LIP_CONTACT / 2 * gap, _LIP_CONTACT / 2 * gap
    return rest + _spread(correction, np.concatenate([upper, lower]), rest, reach=1.5)


def _localised(
    names: tuple[str, ...], offsets: np.ndarray, face: np.ndarray, mirror: np.ndarray
) -> np.ndarray:
    """Keeps each shape to its part of the face: what lies beyond is build, not expression."""
    height = face[:, 1]
    border = _smooth_step(_distance(face, face[list(FACE_BORDER)]), 0.0, 3.0)
    lids = np.concatenate([np.concatenate(ring) for ring in lid_rings(mirror).values()])
    from_eyes = _distance(face, face[lids])
    from_mouth = _distance(face, face[list(OUTER_LIPS)])
    masks = {
        "brow": _smooth_step(height, 1.2, 3.0) * border,
        "eye": _smooth_step(from_eyes, 2.6, 0.8) * border,
        "mouth": _smooth_step(from_mouth, 5.0, 1.5) * _smooth_step(height, 2.4, 0.0) * border,
        "jaw": _smooth_step(height, 0.5, -4.0),
    }
    result = np.zeros_like(offsets)
    for i, name in enumerate(names):
        part = next((part for part in masks if name.startswith(part)), None)
        if part is not None:
            result[i] = offsets[i] * (masks[part] * _own_side(name, face[:, 0]))[:, None]
    return result


def _own_side(name: str, sideways: np.ndarray) -> np.ndarray:
    """(n,) 1 on the side that the shape is named after, fading over the middle of the face.

    Both sides seldom differ in the samples, so a regression mixes them up to a degree.
    """
    if name in ("mouthLeft", "mouthRight", "jawLeft", "jawRight"):
        return np.ones_like(sideways)
    blend = 1.8 if name.startswith("mouth") else 0.8
    if name.endswith("Left"):
        return _smooth_step(sideways, -blend, blend)
    if name.endswith("Right"):
        return _smooth_step(sideways, blend, -blend)
    return np.ones_like(sideways)


def _limited(names: tuple[str, ...], offsets: np.ndarray) -> np.ndarray:
    """Brings every shape to a strength that looks right at value 1."""
    result = offsets.copy()
    for i, name in enumerate(names):
        stem = name.removesuffix("Left").removesuffix("Right")
        result[i] *= EXAGGERATION.get(stem, 1.0)
        longest = np.linalg.norm(result[i], axis=-1).max()
        limit = LONGEST_MOVE.get(stem, LONGEST_MOVE_ELSE)
        result[i] *= min(1.0, limit / max(longest, 1e-9))
    return result


def _closed_lids(
    names: tuple[str, ...], offsets: np.ndarray, rest: np.ndarray, mirror: np.ndarray
) -> np.ndarray:
    """Scales the blinks until upper and lower lid meet at value 1, point by point.

    Few people in the samples have their eyes shut, so the shape at 1 is an extrapolation. It stays
    what was learned as far as one factor goes; what is left of the gap at each point of the lids
    is then closed by moving the lids together, and their surroundings along with them.
    """
    result = offsets.copy()
    eyes = eye_centres(rest, mirror)
    for side, (upper, lower) in lid_rings(mirror).items():
        shape = result[names.index(f"eyeBlink{side}")]
        gap = (rest[upper] - rest[lower])[1:-1, 1]
        closing = (shape[lower] - shape[upper])[1:-1, 1]
        shape *= gap.sum() / max(closing.sum(), 1e-6)
        shape[:, 0] *= _SIDEWAYS
        closed = rest + shape
        left = closed[upper] - closed[lower]
        # The upper lid does most of the way, as in a real blink.
        correction = np.zeros_like(shape)
        correction[upper] = -0.7 * left
        correction[lower] = 0.3 * left
        ring = np.unique(np.concatenate([upper, lower]))
        shape += _spread(correction, ring, rest, reach=0.9)
        shape += _out_of_the_eye(rest + shape, eyes[side], LID_THICKNESS)
        squint = result[names.index(f"eyeSquint{side}")]
        squint += _out_of_the_eye(rest + squint, eyes[side], LID_THICKNESS / 2)
    return result


def _out_of_the_eye(face: np.ndarray, centre: np.ndarray, above: float) -> np.ndarray:
    """(468, 3) offsets that bring the vertices which lie in the eyeball ``above`` cm over it."""
    from_centre = face - centre
    distance = np.linalg.norm(from_centre, axis=1, keepdims=True)
    missing = np.clip(EYE_RADIUS + above - distance, 0.0, None)
    return np.where(distance < 2 * EYE_RADIUS, missing * from_centre / distance, 0.0)


def _spread(correction: np.ndarray, ring: np.ndarray, rest: np.ndarray, reach: float) -> np.ndarray:
    """A correction of the vertices of a ring, faded out over what lies within ``reach`` of them."""
    distance = np.linalg.norm(rest[:, None] - rest[ring][None], axis=-1)
    nearness = np.exp(-((distance / 0.35) ** 2))
    average = nearness @ correction[ring] / np.maximum(nearness.sum(1), 1e-9)[:, None]
    result = average * _smooth_step(distance.min(1), reach, 0.0)[:, None]
    result[ring] = correction[ring]
    return result
