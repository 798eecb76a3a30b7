"""The face at rest that the table of shapes belongs to, learned from generated faces.

MediaPipe's canonical face has sleepy lids and parted lips, which would be in every picture. What
lids and lips of a neutral face look like is learned: the pose-free vertices of many sampled faces
are regressed on the coefficients that Net3D measured on them (a ridge over all at once, with the
head's pose as a nuisance), which gives the mean face with every coefficient at 0. Every sample also
counts mirrored, so that the face is symmetric.
"""

from __future__ import annotations

import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import ARKIT_NAMES, FACE_SCHEMA
from photorig.worker.faces.face_topology import INNER_LIPS, lid_rings, mirror_vertices

from ..head_model.face_samples import FaceSamples
from .sculpting import smooth_step

RIDGE = 1.5
"""Noise variance over the expected variance of a shape's offsets at value 1, both in cm²."""
POSE_SCALE = 15.0
_LIP_CONTACT = 0.9  # of the gap between the lips; all of it would let them touch in a line
_OPENNESS = 0.8  # how far the rest face goes from the canonical face's sleepy lids to open eyes
FEWEST_SAMPLES = 500
_HEAD = 3  # the first three parameters are head angles, the coefficients follow
_COEFFICIENTS = slice(_HEAD, _HEAD + len(ARKIT_NAMES))


def learn_rest_face(samples: FaceSamples, canonical: np.ndarray) -> np.ndarray:
    """(468, 3) float64 cm: a symmetric face with open eyes and closed lips.

    Args:
        samples: at least FEWEST_SAMPLES faces that were found.
        canonical: (468, 3) canonical face in cm.

    Raises:
        InputError: too few faces.
    """
    samples = samples.usable()
    if len(samples) < FEWEST_SAMPLES:
        raise InputError(
            f"{len(samples)} faces are too few to learn a face at rest from",
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
    rest = _closed_lips(_rest(canonical, neutral, mirror))
    return (rest + rest[mirror] * np.array([-1.0, 1.0, 1.0])) / 2


def _with_mirror_images(samples: FaceSamples, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (2n, 58) and vertices (2n, 468, 3), float64."""
    partner = np.array([FACE_SCHEMA.index[p.mirror] for p in FACE_SCHEMA.parameters])
    parameters = samples.parameters.astype(np.float64)
    mirrored = parameters[:, partner]
    for name in ("headYaw", "headRoll", "headX"):
        mirrored[:, FACE_SCHEMA.index[name]] *= -1
    vertices = samples.vertices.astype(np.float64)
    flipped = vertices[:, mirror] * np.array([-1.0, 1.0, 1.0])
    return np.concatenate([parameters, mirrored]), np.concatenate([vertices, flipped])


def _design(parameters: np.ndarray) -> np.ndarray:
    """Coefficients, then the nuisances: pose, its squares and what turning both ways shares."""
    pose = parameters[:, :_HEAD] / POSE_SCALE
    return np.concatenate(
        [parameters[:, _COEFFICIENTS], pose, pose**2, pose[:, :1] * pose[:, 1:2], np.abs(pose)], 1
    )


def _distance(vertices: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(n,) distance of each vertex to the nearest of the points."""
    return np.linalg.norm(vertices[:, None] - points[None], axis=-1).min(1)


def _rest(canonical: np.ndarray, neutral: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The canonical face with the open eyes and the closed lips of the neutral sampled face.

    Only the shape of eyes and lips is taken, not their place: that is one person's build.
    """
    rest = canonical.astype(np.float64).copy()
    openings = [np.concatenate(ring) for ring in lid_rings(mirror).values()]
    parts = [(ring, 1.6, _OPENNESS) for ring in openings] + [(np.array(INNER_LIPS), 2.2, 1.0)]
    for ring, reach, amount in parts:
        shift = neutral[ring].mean(0) - canonical[ring].mean(0)
        weight = smooth_step(_distance(canonical, canonical[ring]), reach, 0.0)
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


def _spread(correction: np.ndarray, ring: np.ndarray, rest: np.ndarray, reach: float) -> np.ndarray:
    """A correction of the vertices of a ring, faded out over what lies within ``reach`` of them."""
    distance = np.linalg.norm(rest[:, None] - rest[ring][None], axis=-1)
    nearness = np.exp(-((distance / 0.35) ** 2))
    average = nearness @ correction[ring] / np.maximum(nearness.sum(1), 1e-9)[:, None]
    result = average * smooth_step(distance.min(1), reach, 0.0)[:, None]
    result[ring] = correction[ring]
    return result
