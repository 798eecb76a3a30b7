"""Tools for real photos and videos without weights: noise for faces, a family of marks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.evaluation.estimators.families import N_POINTS, Reading, blank_reading
from photorig.worker.evaluation.real.tools import EvaluationTools
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.reenactment.renderer import FaceRenderer

from .fakes import TinyGenerator, tiny_bundle
from .stage_fakes import WholeSquare, tiny_stage


class QuickGenerator(TinyGenerator):
    """The same pictures, from a mixture that is drawn once."""

    def synthesize(self, latents: np.ndarray, size: int, styles: object = None) -> np.ndarray:
        pixels = 128 + latents.reshape(len(latents), -1).astype(np.float32) @ mixture(size)
        return np.clip(pixels, 0, 255).astype(np.uint8).reshape(-1, size, size, 3)


@lru_cache
def mixture(size: int) -> np.ndarray:
    """(16 · 512, size · size · 3): how latents become the pixels of `QuickGenerator`."""
    shape = (16 * 512, size * size * 3)
    return np.random.default_rng(size).standard_normal(shape, np.float32)


class BrightnessFamily:
    """Takes brightness for the head's yaw, and sees no face in a black picture."""

    name, label = "brightness", "how bright a picture is"
    blank = blank_reading(len(FACE_SCHEMA), 2, 2)

    def read(self, image: np.ndarray) -> Reading | None:
        if not image.any():
            return None
        parameters = np.full(len(FACE_SCHEMA), np.nan, np.float32)
        parameters[:3] = image.mean((0, 1))
        points = np.random.default_rng(0).uniform(0, 1, (N_POINTS, 2)) + parameters[0]
        values = vars(self.blank) | {
            "parameters": parameters,
            "apertures": np.full(3, 0.2),
            "identity": np.array([1.0, 0.0]),
            "landmarks": points,
            "eyes": np.array([[10.0, 0.0], [0.0, 0.0]]),
            "age": 30.0,
        }
        return Reading(**values)


class MiddleFace:
    """Finds one face in the middle of every picture that is not black."""

    def analyze(self, image: np.ndarray) -> list[FaceMeasurement]:
        if not image.any():
            return []
        height, width = image.shape[:2]
        random = np.random.default_rng(0)
        low, high = np.array([width, height]) / 4, np.array([width, height]) * 3 / 4
        points = np.zeros((478, 3), np.float32)
        points[:, :2] = random.uniform(low, high, (478, 2))
        parameters = np.zeros(len(FACE_SCHEMA), np.float32)
        parameters[0] = (image.mean() - 128) / 16
        box = (*low.tolist(), *high.tolist())
        transform = np.eye(4, dtype=np.float32)
        return [FaceMeasurement(parameters, points, (box[0], box[1], 960.0, 960.0), transform)]


def tiny_tools() -> EvaluationTools:
    renderer = FaceRenderer(tiny_bundle(), QuickGenerator(), tiny_stage())
    net3d: Any = MiddleFace()
    distance: Any = lambda one, other: float(np.abs(one.astype(float) - other).mean())  # noqa: E731
    return EvaluationTools(
        renderer, net3d, (BrightnessFamily(),), WholeSquare(), distance, "directions"
    )
