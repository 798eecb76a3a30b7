"""What the shapes should reach at amount 1, and what they do reach.

Full ARKit motion as ICT-FaceKit's shapes make it at 1.0, in distances between the middles of the
two eyes (each the midpoint of its corners) unless said otherwise.
"""

from __future__ import annotations

import numpy as np

from photorig.worker.faces.face_shapes import FaceShapes
from photorig.worker.faces.face_topology import lid_rings, mirror_vertices

ASKED = {
    "jawOpen": 0.52,
    "eyeBlink": 0.13,
    "mouthSmile up": 0.167,
    "mouthSmile out": 0.112,
    "browInnerUp": 0.086,
    "browDown": 0.044,
    "browOuterUp": 0.117,
    "mouthPucker": 0.147,
    "mouthFunnel": 0.218,
    "jawLeft": 0.137,
    "mouthLeft": 0.171,
    "mouthFrown": 0.072,
    "noseSneer": 0.118,
    "mouthUpperUp": 0.126,
    "gaze sideways": 0.20,
    "gaze up and down": 0.17,
}
"""eyeBlink: share of the lids' opening that is left; gaze: shares of an eye's width. browOuterUp is
not ICT-FaceKit's: as far as the rigged head's brow went when its shapes were learned."""

INNER_BROW = (285, 336)
LEFT_FROWN = (295, 285, 296, 336)
LEFT_OUTER_BROW = (293, 334)
LEFT_WING = (278, 294)
LEFT_UPPER_LIP = (267, 269, 302, 303, 268, 271, 312, 311)
MOUTH_MIDDLE = (13, 14, 0, 17)


def eye_distance(face: np.ndarray) -> float:
    """cm between the middles of the eyes of a (468, 3) face."""
    return float(np.linalg.norm(face[[33, 133]].mean(0) - face[[263, 362]].mean(0)))


def measure(shapes: FaceShapes) -> dict[str, float]:
    """What the table reaches, by the names of ASKED."""
    face = shapes.face.astype(np.float64)
    unit = eye_distance(face)

    def opening(name: str) -> float:
        return _apart(face + shapes.of(name)) - _apart(face)

    def along(name: str, axis: int, vertices: tuple[int, ...]) -> float:
        return float(shapes.of(name)[list(vertices), axis].mean())

    pucker = shapes.of("mouthPucker")[[291, 61], 0]
    reached = {
        "jawOpen": opening("jawOpen"),
        "mouthSmile up": along("mouthSmileLeft", 1, (291,)),
        "mouthSmile out": along("mouthSmileLeft", 0, (291,)),
        "browInnerUp": along("browInnerUp", 1, INNER_BROW),
        "browDown": -along("browDownLeft", 1, LEFT_FROWN),
        "browOuterUp": along("browOuterUpLeft", 1, LEFT_OUTER_BROW),
        "mouthPucker": float(pucker[1] - pucker[0]),
        "mouthFunnel": opening("mouthFunnel"),
        "jawLeft": along("jawLeft", 0, (152,)),
        "mouthLeft": along("mouthLeft", 0, MOUTH_MIDDLE),
        "mouthFrown": -along("mouthFrownLeft", 1, (291,)),
        "noseSneer": along("noseSneerLeft", 1, LEFT_WING),
        "mouthUpperUp": float(
            (shapes.of("mouthUpperUpLeft") + shapes.of("mouthUpperUpRight"))[
                list(LEFT_UPPER_LIP), 1
            ].mean()
        ),
    }
    result = {name: value / unit for name, value in reached.items()}
    result["eyeBlink"] = lid_opening_left(shapes)
    gaze = np.abs(shapes.gaze).max(1)
    result["gaze sideways"], result["gaze up and down"] = map(float, gaze.max(0))
    return {name: result[name] for name in ASKED}


def _apart(face: np.ndarray) -> float:
    return float(np.linalg.norm(face[13] - face[14]))


def lid_opening_left(shapes: FaceShapes) -> float:
    """Share of the left eye's opening that eyeBlinkLeft leaves, mean over the lids' points."""
    upper, lower = (ring[1:-1] for ring in lid_rings(mirror_vertices(shapes.face))["Left"])

    def gap(face: np.ndarray) -> float:
        return float(np.linalg.norm((face[upper] - face[lower])[:, :2], axis=1).mean())

    return gap(shapes.face + shapes.of("eyeBlinkLeft")) / gap(shapes.face)
