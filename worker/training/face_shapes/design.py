"""All 52 shapes of a face, from what each should reach."""

from __future__ import annotations

import numpy as np

from photorig.shared.parameters.schema import ARKIT_NAMES
from photorig.worker.faces.face_shapes import FaceShapes

from . import cheeks, eyes, jaw, mouth
from .sculpting import Clay
from .yardstick import ASKED

GAZE_SIDEWAYS, GAZE_UPWARDS = ASKED["gaze sideways"], ASKED["gaze up and down"]


def design_shapes(face: np.ndarray, triangles: np.ndarray) -> FaceShapes:
    """The table for a face at rest.

    Args:
        face: (468, 3) cm, symmetric, eyes open and lips closed.
        triangles: (898, 3) of the canonical face.
    """
    clay = Clay(face, triangles)
    shapes = {**_middle(clay), **_sides(clay)}
    offsets = np.stack([shapes[name] for name in ARKIT_NAMES]).astype(np.float32)
    return FaceShapes(ARKIT_NAMES, clay.face.astype(np.float32), offsets, _gaze())


def _middle(clay: Clay) -> dict[str, np.ndarray]:
    """Shapes that belong to both sides."""
    unit = clay.unit
    opened = jaw.jaw_open(clay, ASKED["jawOpen"] * unit)
    shapes = {
        "browInnerUp": eyes.brow_inner_up(clay, ASKED["browInnerUp"] * unit),
        "cheekPuff": cheeks.cheek_puff(clay, 0.15 * unit),
        "jawForward": jaw.jaw_forward(clay, 0.11 * unit),
        "jawOpen": opened,
        "mouthClose": jaw.mouth_close(clay, opened),
        "mouthFunnel": mouth.funnel(clay, ASKED["mouthFunnel"] * unit),
        "mouthPucker": mouth.pucker(clay, ASKED["mouthPucker"] * unit),
        "mouthRollLower": mouth.roll_lower(clay, 1.0),
        "mouthRollUpper": mouth.roll_upper(clay, 1.0),
        "mouthShrugLower": mouth.shrug_lower(clay, 0.085 * unit),
        "mouthShrugUpper": mouth.shrug_upper(clay, 0.06 * unit),
        "tongueOut": jaw.tongue_out(clay, opened, 0.18 * unit),
    }
    return {name: clay.symmetric(offsets) for name, offsets in shapes.items()}


def _sides(clay: Clay) -> dict[str, np.ndarray]:
    """Shapes of one side each: the left ones are designed, the right ones their mirror images."""
    unit, width = clay.unit, clay.eye_width
    shift = GAZE_SIDEWAYS * width
    left = {
        "browDown": eyes.brow_down_left(clay, ASKED["browDown"] * unit),
        "browOuterUp": eyes.brow_outer_up_left(clay, ASKED["browOuterUp"] * unit),
        "cheekSquint": cheeks.cheek_squint_left(clay, 0.075 * unit),
        "eyeBlink": eyes.blink_left(clay),
        "eyeLookDown": eyes.lids_left(clay, 0.46, -0.24, crease=0.3),
        "eyeLookIn": eyes.lids_left(clay, 0.03, 0.0, side=-0.22 * shift),
        "eyeLookOut": eyes.lids_left(clay, 0.0, 0.02, side=0.22 * shift),
        "eyeLookUp": eyes.lids_left(clay, -0.36, 0.06, crease=0.5),
        "eyeSquint": eyes.lids_left(clay, 0.13, 0.24, crease=0.2),
        "eyeWide": eyes.lids_left(clay, -0.26, -0.05, crease=0.5),
        "jaw": jaw.jaw_left(clay, ASKED["jawLeft"] * unit),
        "mouth": mouth.mouth_left(clay, ASKED["mouthLeft"] * unit),
        "mouthDimple": mouth.dimple_left(clay, 0.075 * unit),
        "mouthFrown": mouth.frown_left(clay, ASKED["mouthFrown"] * unit),
        "mouthLowerDown": mouth.lower_down_left(clay, 0.115 * unit),
        "mouthPress": mouth.press_left(clay, 0.045 * unit),
        "mouthSmile": mouth.smile_left(
            clay, ASKED["mouthSmile out"] * unit, ASKED["mouthSmile up"] * unit
        ),
        "mouthStretch": mouth.stretch_left(clay, 0.125 * unit, 0.05 * unit),
        "mouthUpperUp": mouth.upper_up_left(clay, ASKED["mouthUpperUp"] * unit),
        "noseSneer": cheeks.nose_sneer_left(clay, ASKED["noseSneer"] * unit),
    }
    shapes = {}
    for stem, offsets in left.items():
        shapes[f"{stem}Left"], shapes[f"{stem}Right"] = offsets, clay.mirrored(offsets)
    return shapes


def _gaze() -> np.ndarray:
    """(52, 2, 2) iris shift in eye widths: see FaceShapes.gaze."""
    gaze = np.zeros((len(ARKIT_NAMES), 2, 2), np.float32)
    for eye, (side, outwards) in enumerate((("Right", -1.0), ("Left", 1.0))):
        for name, shift in (
            ("Out", (outwards * GAZE_SIDEWAYS, 0.0)),
            ("In", (-outwards * GAZE_SIDEWAYS, 0.0)),
            ("Up", (0.0, GAZE_UPWARDS)),
            ("Down", (0.0, -GAZE_UPWARDS)),
        ):
            gaze[ARKIT_NAMES.index(f"eyeLook{name}{side}"), eye] = shift
    return gaze
