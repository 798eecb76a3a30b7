"""Who is in the picture, and how old, of which sex and origin: networks that no training uses.

MobileFace (https://github.com/becauseofAI/MobileFace) tells people apart; GEAR
(https://github.com/Udolf15/GEAR-Predictor) notices a face that grows older or turns into another's.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from photorig.worker.importers.tfjs import TFJSModule, read_graph
from photorig.worker.registry import fetch

from .landmarks import LEFT_EYE, RIGHT_EYE, UprightFace

N_IDENTITY = 256
RACES = ("white", "black", "asian", "indian", "other")

_NOSE, _MOUTH_RIGHT, _MOUTH_LEFT = 30, 48, 54
_ARCFACE_SIZE = 112
_ARCFACE_POINTS = np.array(
    # right eye, left eye, nose, corners of the mouth: where aligned training pictures have them
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
_GEAR_SIZE = 198
_GEAR_SIDE, _GEAR_DROP = 3.0, 0.5  # crop in distances between the eyes; its middle below them
_GEAR_AGES = np.array([15.0, 23.0, 28.0, 35.5, 45.5, 55.5, 65.0])  # middles of the age classes


class IdentityReader:
    """MobileFace. Raises ModelError where it cannot be had."""

    def __init__(self) -> None:
        self._network = _load("mobileface", ["batchnorm0/add_1"])

    @torch.no_grad()
    def read(self, photo: np.ndarray, face: UprightFace) -> np.ndarray:
        """(256,) float32 of length 1; cosines of two people are 0.1 ± 0.13."""
        points = face.photo_landmarks
        eyes = [points[RIGHT_EYE].mean(0), points[LEFT_EYE].mean(0)]
        five = np.array([*eyes, points[_NOSE], points[_MOUTH_RIGHT], points[_MOUTH_LEFT]])
        chip = _cut(photo, _similarity(_ARCFACE_POINTS, five), _ARCFACE_SIZE)
        vector = self._network(torch.from_numpy(chip)[None])[0][0].numpy()
        return vector / np.linalg.norm(vector)


class AttributeReader:
    """GEAR. Raises ModelError where it cannot be had."""

    def __init__(self) -> None:
        self._network = _load("gear", ["Identity", "Identity_1", "Identity_2"])

    @torch.no_grad()
    def read(self, photo: np.ndarray, face: UprightFace) -> tuple[float, float, np.ndarray]:
        """Age in years, probability of male, probabilities (5,) float32 of RACES."""
        points = face.landmarks
        right, left = points[RIGHT_EYE].mean(0), points[LEFT_EYE].mean(0)
        distance = float(np.linalg.norm(left - right))
        middle = (left + right) / 2 + [0, _GEAR_DROP * distance]
        scale = _GEAR_SIDE * distance / _GEAR_SIZE
        crop = np.array([[scale, 0, 0], [0, scale, 0]], np.float64)
        crop[:, 2] = middle - scale * _GEAR_SIZE / 2
        to_photo = np.column_stack(
            [
                face.to_photo[:, :2] @ crop[:, :2],
                face.to_photo[:, :2] @ crop[:, 2] + face.to_photo[:, 2],
            ]
        )
        chip = _cut(photo, to_photo, _GEAR_SIZE) / 255
        age, gender, race = self._network(torch.from_numpy(chip)[None])
        return float(age[0].numpy() @ _GEAR_AGES), float(gender[0, 0]), race[0].numpy()


def _load(name: str, outputs: list[str]) -> TFJSModule:
    folder = fetch(name)
    return TFJSModule(read_graph(folder / f"{name}.json", folder / f"{name}.bin"), outputs)


def _similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(2, 3) rotation, scale and shift that bring (n, 2) source nearest to target."""
    a, b = source - source.mean(0), target - target.mean(0)
    cosine = (a * b).sum() / (a * a).sum()
    sine = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / (a * a).sum()
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([linear, target.mean(0) - linear @ source.mean(0)])


def _cut(photo: np.ndarray, to_photo: np.ndarray, size: int) -> np.ndarray:
    """(size, size, 3) float32 in [0, 255]; four samples a pixel, against aliasing."""
    doubled = to_photo.copy()
    doubled[:, :2] /= 2
    doubled[:, 2] += doubled[:, :2].sum(1) / 2 - 0.5  # OpenCV's pixel i has its middle at i
    chip = cv2.warpAffine(
        photo,
        doubled,
        (2 * size, 2 * size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return chip.reshape(size, 2, size, 2, 3).mean((1, 3), dtype=np.float32)
