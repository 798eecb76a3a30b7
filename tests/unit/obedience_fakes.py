"""A face that obeys exactly, without weights: a renderer that writes down what was asked, and a
judge that reads it and moves a drawn face by ARKit's full motion."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.evaluation.estimators.families import Reading, blank_reading
from photorig.worker.evaluation.real.tools import EvaluationTools
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait

from .fakes import MODEL_ID
from .real_fakes import MiddleFace
from .stage_fakes import WholeSquare

CELLS = 64
"""Blocks in a row of a picture; the first ones tell the parameters."""
UNIT = 100.0
"""Pixels between the eyes of the drawn face."""
EYES = np.array([256.0, 200.0])
"""Pixels, the middle between them."""


def drawn_face() -> np.ndarray:
    """(68, 2) landmarks of a face from the front in eye distances, y up, from between the eyes."""
    angle = np.linspace(np.pi, 2 * np.pi, 17)
    jaw = np.column_stack([1.1 * np.cos(angle), -0.1 + 1.5 * np.sin(angle)])
    brow = np.column_stack([np.linspace(-0.85, -0.2, 5), [0.25, 0.32, 0.35, 0.33, 0.28]])
    bridge = np.column_stack([np.zeros(4), np.linspace(0, -0.45, 4)])
    nose = np.column_stack([np.linspace(-0.2, 0.2, 5), [-0.55, -0.58, -0.6, -0.58, -0.55]])
    eye = np.array(
        [[-0.2, 0], [-0.08, 0.08], [0.08, 0.08], [0.2, 0], [0.08, -0.08], [-0.08, -0.08]]
    )
    x = np.array([-0.4, -0.25, -0.1, 0, 0.1, 0.25, 0.4, 0.25, 0.1, 0, -0.1, -0.25])
    y = np.array([0, 0.08, 0.11, 0.1, 0.11, 0.08, 0, -0.09, -0.12, -0.13, -0.12, -0.09]) - 0.95
    inner_x = np.array([-0.35, -0.1, 0, 0.1, 0.35, 0.1, 0, -0.1])
    inner_y = np.array([0, 0.01, 0.01, 0.01, 0, -0.01, -0.01, -0.01]) - 0.95
    parts = [jaw, brow, brow[::-1] * [-1, 1], bridge, nose, eye + [-0.5, 0], eye + [0.5, 0]]
    parts += [np.column_stack([x, y]), np.column_stack([inner_x, inner_y])]
    return np.concatenate(parts)


def moved_face(values: dict[str, float]) -> np.ndarray:
    """(68, 2) the drawn face after ARKit's motion, as far as landmarks show it."""
    points = drawn_face()

    def move(name: str, places: Any, x: float, y: float) -> None:
        points[list(places)] += values.get(name, 0.0) * np.array([x, y])

    lower = (57, 58, 56, 65, 66, 67)
    move("jawOpen", (*lower, *range(5, 12)), 0, -0.52)
    move("mouthFunnel", lower, 0, -0.218)
    move("mouthClose", lower, 0, 0.52)
    for name, corner, brows, side in (("Left", 54, (24, 25), 1), ("Right", 48, (18, 19), -1)):
        move(f"mouthSmile{name}", [corner], side * 0.112, 0.167)
        move(f"mouthFrown{name}", [corner], 0, -0.072)
        move(f"browOuterUp{name}", brows, 0, 0.117)
        move(f"browDown{name}", (20, 21) if side < 0 else (22, 23), 0, -0.044)
    move("browInnerUp", (20, 21, 22, 23), 0, 0.086)
    move("mouthPucker", [54], -0.147 / 2, 0)
    move("mouthPucker", [48], 0.147 / 2, 0)
    return points


def in_pixels(points: np.ndarray) -> np.ndarray:
    """Eye distances to pixels of a picture of 512²."""
    return points * [UNIT, -UNIT] + EYES


class AskedRenderer:
    """Pictures whose upper blocks hold the parameters, and whose number is counted."""

    schema = FACE_SCHEMA
    model_id = "asked"
    bundle = SimpleNamespace(name="asked", id="0")
    generator = SimpleNamespace(backend="none")

    def __init__(self, farthest: float = 1.0) -> None:
        """farthest: beyond it, coefficients count no more."""
        self.farthest, self.rendered = farthest, 0

    def render(self, portrait: Portrait, request: FrameRequest) -> np.ndarray:
        self.rendered += 1
        size = 512 if request.size == "full" else int(request.size)
        block = size // CELLS
        image = np.full((size, size, 3), 90, np.uint8)
        asked = np.minimum(request.parameters, self.farthest)
        told = np.where(np.arange(len(asked)) < 3, 128 + 2 * request.parameters, 100 * asked)
        for place, level in enumerate(np.rint(told).astype(np.uint8)):
            image[:block, place * block : (place + 1) * block] = level
        return image


class AskedJudge:
    """Reads the blocks of `AskedRenderer`; sees no face in a picture without them."""

    name, label = "asked", "what was asked for"
    blank = blank_reading(len(FACE_SCHEMA), 2, 2)

    def read(self, image: np.ndarray) -> Reading | None:
        block = image.shape[0] // CELLS
        if not image[:block].any():
            return None
        row = image[block // 2, block // 2 :: block, 0].astype(float)[: len(FACE_SCHEMA)]
        angles, coefficients = (row[:3] - 128) / 2, row[3:] / 100
        values = dict(zip(FACE_SCHEMA.ids[3:], coefficients, strict=True))
        parameters = np.zeros(len(FACE_SCHEMA), np.float32)
        parameters[:3] = angles
        lids = [0.3 * (1 - 0.87 * values[f"eyeBlink{side}"]) for side in ("Left", "Right")]
        sideways = 0.2 * (values["eyeLookOutLeft"] - values["eyeLookInLeft"])
        upwards = 0.17 * (values["eyeLookUpLeft"] - values["eyeLookDownLeft"])
        points = in_pixels(moved_face(values))
        fields = vars(self.blank) | {
            "parameters": parameters,
            "apertures": np.array([0.0, *lids], np.float32),
            "gaze": np.tile([sideways, upwards], (2, 1)),
            "identity": np.array([1.0, 0.0]),
            "landmarks": points.astype(np.float32),
            "eyes": points[[42, 36]],
        }
        return Reading(**fields)


def asked_tools(renderer: AskedRenderer) -> EvaluationTools:
    made: Any = renderer
    net3d: Any = MiddleFace()
    perceptual: Any = None
    return EvaluationTools(made, net3d, (AskedJudge(),), WholeSquare(), perceptual)


def neutral_portrait() -> Portrait:
    """A grey photo of 512² that is its own aligned square."""
    photo = np.random.default_rng(0).integers(60, 200, (512, 512, 1), np.uint8).repeat(3, 2)
    return Portrait(
        latents=np.zeros((16, 512), np.float32),
        parameters=np.zeros(len(FACE_SCHEMA), np.float32),
        photo=photo,
        alignment=Alignment.upright(512),
        model_id=MODEL_ID,
        name="neutral",
    )
