"""Which of the 468 vertices of MediaPipe's face mesh lie where.

Rings run around an opening in the order in which its edge is walked. Left and right are the
subject's own, so the left eye has x > 0. Every ring of the left is the mirror image of the right
one (see mirror_vertices).
"""

from __future__ import annotations

import numpy as np

N_VERTICES = 468
EYE_RADIUS = 1.2
"""cm, of the balls that stand for the eyes."""
_EYE_INSET = 0.25

RIGHT_UPPER_LID = (33, 246, 161, 160, 159, 158, 157, 173, 133)
"""From the outer to the inner corner, corners included."""
RIGHT_LOWER_LID = (33, 7, 163, 144, 145, 153, 154, 155, 133)

INNER_LIPS = (
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415),
    *(308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
)
"""From the right corner over the upper lip to the left corner and back below."""

OUTER_LIPS = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409),
    *(291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
)

RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
"""Along the upper edge from the temple inwards, then back along the lower edge."""

FACE_BORDER = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288),
    *(397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136),
    *(172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The edge of the mesh from the top of the forehead over the subject's left side."""


def mirror_vertices(canonical: np.ndarray) -> np.ndarray:
    """(468,) vertex number of each vertex's mirror image, for a (468, 3) symmetric face."""
    mirrored = canonical * np.array([-1.0, 1.0, 1.0], canonical.dtype)
    distances = np.linalg.norm(mirrored[:, None] - canonical[None], axis=-1)
    return distances.argmin(1)


def lid_rings(mirror: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Upper and lower lid edge, (9,) vertex numbers each, by "Left" and "Right"."""
    upper, lower = np.array(RIGHT_UPPER_LID), np.array(RIGHT_LOWER_LID)
    return {"Right": (upper, lower), "Left": (mirror[upper], mirror[lower])}


def brows(mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertex numbers of the right and of the left brow, (10,) each."""
    right = np.array(RIGHT_BROW)
    return right, mirror[right]


def eye_centres(face: np.ndarray, mirror: np.ndarray) -> dict[str, np.ndarray]:
    """(3,) cm, by "Left" and "Right": centre of an eyeball that lies just behind the lids' edge."""
    centres = {}
    for side, (upper, lower) in lid_rings(mirror).items():
        points = face[np.unique(np.concatenate([upper, lower]))]
        middle = points[:, :2].mean(0)
        inside = EYE_RADIUS**2 - ((points[:, :2] - middle) ** 2).sum(1)
        front = points[:, 2] - np.sqrt(np.maximum(inside, 0.0))
        centres[side] = np.array([middle[0], middle[1], np.median(front) - _EYE_INSET])
    return centres
