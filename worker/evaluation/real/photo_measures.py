"""What is measured on one portrait of one real photo, and the pictures that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from photorig.shared.parameters.schema import HEAD_ANGLES
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.faces.search import find_faces
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait

from ..estimators.families import Reading
from ..metrics import statistics
from ..metrics.ceilings import photographed_again
from .image_metrics import blurred, face_mask, psnr
from .tools import EvaluationTools, crop_tile, head_tile

JUDGED = 512
"""Side of the aligned crops that are compared."""
TILE = 192
_AGAIN = 4
"""How many times a photo is photographed again for its ceiling."""
_PERCEPTUAL = 256

CONTROLS: dict[str, dict[str, float]] = {
    "yaw -20°": {"headYaw": -20},
    "yaw +20°": {"headYaw": 20},
    "pitch -12°": {"headPitch": -12},
    "pitch +12°": {"headPitch": 12},
    "roll +15°": {"headRoll": 15},
    "jaw open": {"jawOpen": 0.5},
    "smile": {"mouthSmileLeft": 0.6, "mouthSmileRight": 0.6},
    "pucker": {"mouthPucker": 0.6},
    "eyes shut": {"eyeBlinkLeft": 0.9, "eyeBlinkRight": 0.9},
    "brows up": {"browInnerUp": 0.6, "browOuterUpLeft": 0.5, "browOuterUpRight": 0.5},
    "looks left": {"eyeLookOutLeft": 0.6, "eyeLookInRight": 0.6},
}
"""What the driven sheet asks for, in relative mode; the animator's everyday moves."""

Tiles = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class PhotoSeen:
    """A photo's aligned crop and what the families see in it; f families.

    Attributes:
        crop: (JUDGED, JUDGED, 3) uint8.
        readings: of the crop, None where a family sees no face.
        again: by family, readings of the crop photographed again.
        face: (JUDGED, JUDGED) bool, empty where Net3D sees no face in the crop.
    """

    crop: np.ndarray
    readings: tuple[Reading | None, ...]
    again: tuple[tuple[Reading | None, ...], ...]
    face: np.ndarray

    @staticmethod
    def of(tools: EvaluationTools, portrait: Portrait) -> PhotoSeen:
        crop = portrait.alignment.crop(portrait.photo, JUDGED)
        takes = [tools.read(photographed_again(crop, seed)) for seed in range(_AGAIN)]
        faces = tools.net3d.analyze(crop)
        mask = face_mask(faces[0], crop.shape[:2]) if faces else np.zeros(crop.shape[:2], bool)
        return PhotoSeen(crop, tools.read(crop), tuple(zip(*takes, strict=True)), mask)

    def ceiling(self, family: int) -> float:
        """Mean cosine between the photo and itself photographed again."""
        return _mean([_cosine(self.readings[family], take) for take in self.again[family]])

    def kept(self, family: int, reading: Reading | None) -> float:
        """Cosine of a picture to the photo ÷ the ceiling; NaN where there is no face."""
        return _cosine(self.readings[family], reading) / self.ceiling(family)


def measure_portrait(tools: EvaluationTools, portrait: Portrait) -> tuple[dict[str, Any], Tiles]:
    """All figures of a portrait, JSON-able but for NaN, and tiles (TILE, TILE, 3) by name."""
    seen = PhotoSeen.of(tools, portrait)
    tiles = {"photo": head_tile(portrait.photo, portrait.alignment, TILE)}
    inversion, tiles["generator alone"] = _inversion(tools, portrait, seen)
    rest, whole = _rest(tools, portrait)
    tiles["at rest"] = head_tile(whole, portrait.alignment, TILE)
    driven, frames = _driven(tools, portrait, seen)
    figures = {
        "face_pixels": portrait.alignment.side,
        "faces_seen": {
            family.name: reading is not None
            for family, reading in zip(tools.families, seen.readings, strict=True)
        },
        "inversion": inversion,
        "rest": rest,
        "driven": driven,
    }
    return figures, tiles | frames


def _inversion(
    tools: EvaluationTools, portrait: Portrait, seen: PhotoSeen
) -> tuple[dict[str, Any], np.ndarray]:
    """How near the generator's own picture at rest comes to the photo."""
    image = tools.inversion(portrait, tools.generator_size(portrait))
    made = cv2.resize(image, (JUDGED, JUDGED), interpolation=cv2.INTER_AREA)
    readings = tools.read(made)
    photo, small = _small(seen.crop), _small(made)
    return {
        "psnr_face": psnr(seen.crop, made, seen.face),
        "psnr_crop": psnr(seen.crop, made),
        "perceptual": tools.perceptual(photo, small),
        "perceptual_of_blur": tools.perceptual(photo, blurred(photo)),
        "families": {
            family.name: {
                "cosine": _cosine(seen.readings[i], readings[i]),
                "ceiling": seen.ceiling(i),
                "identity_kept": seen.kept(i, readings[i]),
                **_difference(tools, seen.readings[i], readings[i]),
            }
            for i, family in enumerate(tools.families)
        },
    }, crop_tile(made, TILE)


def _rest(tools: EvaluationTools, portrait: Portrait) -> tuple[dict[str, Any], np.ndarray]:
    """The whole photo at rest: what is behind the person, and the face."""
    whole = tools.frame(portrait, tools.schema.rest, "relative")
    photo = portrait.photo
    difference = np.abs(whole.astype(np.int16) - photo).max(-1)
    background = ~(_head_in(tools, portrait) | tools.person_mask(photo))
    face = _face_in_photo(tools, portrait)
    return {
        "same_bytes": bool(np.array_equal(whole, photo)),
        "background_changed": float(statistics.mean_known(difference[background] > 0)),
        "background_worst": float(difference[background].max(initial=0)),
        "psnr_face": psnr(photo, whole, face),
    }, whole


def _driven(
    tools: EvaluationTools, portrait: Portrait, seen: PhotoSeen
) -> tuple[dict[str, Any], Tiles]:
    """Each control alone: is it still the person, and does the face do what was asked?"""
    figures: dict[str, Any] = {}
    tiles: Tiles = {}
    for label, values in CONTROLS.items():
        whole = tools.frame(portrait, tools.schema.vector(values), "relative")
        tiles[label] = head_tile(whole, portrait.alignment, TILE)
        readings = tools.read(portrait.alignment.crop(whole, JUDGED))
        figures[label] = {
            family.name: {
                "identity_kept": seen.kept(i, readings[i]),
                "answer": answer(tools.schema.index, values, seen.readings[i], readings[i]),
            }
            for i, family in enumerate(tools.families)
        }
    return figures, tiles


def answer(
    index: dict[str, int],
    values: dict[str, float],
    before: Reading | None,
    after: Reading | None,
) -> float:
    """Measured change ÷ asked change, over the parameters that were asked for.

    1 is exactly what was asked; NaN where the family does not see the parameter.
    """
    if before is None or after is None:
        return float("nan")
    rows = [index[name] for name in values]
    asked = np.array(list(values.values()))
    change = after.parameters[rows].astype(float) - before.parameters[rows]
    known = np.isfinite(change)
    power = float(np.square(asked[known]).sum())
    return float(asked[known] @ change[known]) / power if power else float("nan")


def _difference(
    tools: EvaluationTools, one: Reading | None, other: Reading | None
) -> dict[str, float]:
    """How pose, expression and openings of two pictures differ."""
    if one is None or other is None:
        return dict.fromkeys(("pose", "expression", "mouth", "eyes", "age"), float("nan"))
    angles = [tools.schema.index[name] for name in HEAD_ANGLES]
    coefficients = np.setdiff1d(np.arange(len(tools.schema)), angles)
    gap = np.abs(other.parameters.astype(float) - one.parameters)
    openings = np.abs(other.apertures.astype(float) - one.apertures)
    return {
        "pose": float(statistics.mean_known(gap[angles])),
        "expression": float(statistics.mean_known(gap[coefficients])),
        "mouth": float(openings[0]),
        "eyes": float(statistics.mean_known(openings[1:])),
        "age": abs(other.age - one.age),
    }


def _head_in(tools: EvaluationTools, portrait: Portrait) -> np.ndarray:
    """(h, w) bool: the person in the aligned crop, with a margin, where they are in the photo.

    The matte sees little of a head that is small in its photo; in the crop it is never small.
    """
    crop = portrait.alignment.crop(portrait.photo, JUDGED)
    mask = tools.person_mask(crop).astype(np.uint8)
    return portrait.alignment.placed(mask, portrait.photo.shape, beyond=0) > 0


def _face_in_photo(tools: EvaluationTools, portrait: Portrait) -> np.ndarray:
    """(h, w) bool: the face of the portrait; empty where Net3D cannot find it again."""
    face = nearest_face(tools, portrait.photo, portrait.alignment)
    shape = portrait.photo.shape[:2]
    return np.zeros(shape, bool) if face is None else face_mask(face, shape)


def nearest_face(
    tools: EvaluationTools, image: np.ndarray, alignment: Alignment
) -> FaceMeasurement | None:
    """The face in the aligned square of a whole picture, if there is one."""

    def away(face: FaceMeasurement) -> float:
        middle = face.landmarks[:, :2].mean(0, keepdims=True).astype(np.float64)
        return float(np.linalg.norm(alignment.to_square(middle) - 0.5))

    faces: Sequence[FaceMeasurement] = find_faces(image, tools.net3d)
    nearest = min(faces, key=away, default=None)
    return nearest if nearest is not None and away(nearest) < 0.5 else None


def _small(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (_PERCEPTUAL, _PERCEPTUAL), interpolation=cv2.INTER_AREA)


def _cosine(one: Reading | None, other: Reading | None) -> float:
    if one is None or other is None:
        return float("nan")
    return float(statistics.cosine(one.identity, other.identity))


def _mean(values: Sequence[float]) -> float:
    return float(statistics.mean_known(np.array(values)))
