"""The inside of a mouth, drawn once by the untuned generator."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import ARKIT_NAMES
from photorig.worker.compositing.face_mesh import FacePose
from photorig.worker.generators.regions import RegionalStyles
from photorig.worker.portraits.mouth import LOWER, UPPER, MouthInterior, mouth_of

from .calibration import DrivenFace
from .region_masks import region_masks
from .regional_controls import RegionalShifts

_SHOWS_TEETH = 0.03
"""Opening of the inner lips, in distances of the eyes' outer corners, from which a photo shows what
is behind them."""
_USUAL = 0.8
"""How far the drawn face is the average one in all but its pose: what the photo's lips hide nobody
knows, and the more unusual a face is, the worse the generator draws its teeth."""
_POSE_ROWS = 3
"""Rows of W+ that tell pose and outline, and stay the person's."""
_OPENINGS = (1.4, 1.6, 1.8)
"""Amounts of jawOpen, as far as the generator goes with it, that are tried."""
_LEAST, _ENOUGH, _MOST = 0.12, 0.3, 0.5
"""Opening of the mouth that is kept, that is wide enough, and at most, in the same distances."""
_SIZE = 512
_OUTER_CORNERS = (33, 263)
_SKIN = (0.5, 1.1)
"""Around the mouth, in its widths from its middle: where colours are compared."""
_GAINS = (0.6, 1.6)
_GREY = 3.0
"""Levels of colour below which a photo is black and white."""


def open_mouth(untuned: DrivenFace, tuned: DrivenFace, rest: np.ndarray) -> MouthInterior | None:
    """A face's mouth, wide open; None where the generator cannot draw it.

    Args:
        untuned, tuned: the face driven by the generator without and with the portrait's tuning.
        rest: (478, 3) landmarks of the tuned generator's picture, in sides of the square.
    """
    drawn = _widest(_usual(untuned), rest)
    if drawn is None:
        return None
    picture, landmarks = drawn
    mouth = mouth_of(picture, landmarks, FacePose.of(landmarks).scale)
    light = _teeth_light(untuned, rest)
    if _opening(rest) < _SHOWS_TEETH:
        return _lit(mouth, light)
    photo = untuned.portrait.alignment.crop(untuned.portrait.photo, _SIZE)
    shown = mouth_of(photo, rest, FacePose.of(rest).scale).brightest
    mouth = _lit(mouth, shown if light is None or shown.sum() > light.sum() else light)
    own = tuned.generator.synthesize(tuned.portrait.latents[None], _SIZE, RegionalStyles.none())[0]
    return mouth.with_teeth(mouth_of(own, rest, FacePose.of(rest).scale))


def _usual(face: DrivenFace) -> DrivenFace:
    """The face with the features of an average one, in its own pose."""
    latents = face.portrait.latents.copy()
    latents[_POSE_ROWS:] += _USUAL * (face.generator.mean_latent - latents[_POSE_ROWS:])
    return replace(face, portrait=replace(face.portrait, latents=latents))


def _teeth_light(face: DrivenFace, rest: np.ndarray) -> np.ndarray | None:
    """(3,) colour of the teeth in the photo's light, as the generator draws this very person with
    an open mouth; None where it cannot."""
    drawn = _opened(face, _OPENINGS[0], rest)
    if drawn is None:
        return None
    picture, landmarks = drawn
    picture = like_photo(picture, landmarks, face, rest)
    return mouth_of(picture, landmarks, FacePose.of(landmarks).scale).brightest


def _lit(mouth: MouthInterior, teeth: np.ndarray | None) -> MouthInterior:
    """The mouth with teeth of a colour (3,)."""
    if teeth is None:
        return mouth
    gains = np.clip(teeth / np.maximum(mouth.brightest, 1.0), *_GAINS)
    return replace(mouth, picture=np.rint(np.clip(mouth.picture * gains, 0, 255)).astype(np.uint8))


def _opened(
    face: DrivenFace, amount: float, rest: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """The picture with the jaw open by an amount, and its landmarks; None without a face.

    A tuned generator bears less: this one draws what it has learned.
    """
    open_jaw = np.zeros(len(ARKIT_NAMES), np.float32)
    open_jaw[ARKIT_NAMES.index("jawOpen")] = 1
    shift = RegionalShifts(face.bundle).deltas(open_jaw) * np.float32(amount)
    styles = RegionalStyles(shift, region_masks(rest))
    picture = face.generator.synthesize(face.portrait.latents[None], _SIZE, styles)[0]
    try:
        return picture, face.net3d.analyze_one(picture).landmarks / _SIZE
    except InputError:
        return None


def _widest(face: DrivenFace, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The picture with the mouth furthest open, and its landmarks."""
    widest, best = _LEAST, None
    for amount in _OPENINGS:
        drawn = _opened(face, amount, rest)
        if drawn is None:
            continue
        opening = _opening(drawn[1])
        if widest < opening < _MOST:
            widest, best = opening, drawn
        if widest > _ENOUGH:  # further open it is drawn worse
            break
    return best


def _opening(landmarks: np.ndarray) -> float:
    """Greatest distance of the inner lips, in distances of the eyes' outer corners."""
    right, left = landmarks[list(_OUTER_CORNERS), :2]
    apart = np.linalg.norm(landmarks[LOWER, :2] - landmarks[UPPER, :2], axis=1).max()
    return float(apart / max(float(np.linalg.norm(left - right)), 1e-6))


def like_photo(
    picture: np.ndarray, landmarks: np.ndarray, face: DrivenFace, rest: np.ndarray
) -> np.ndarray:
    """The picture in the colours that the photo has around the mouth."""
    photo = face.portrait.alignment.crop(face.portrait.photo, _SIZE)
    gains = _skin(photo, rest) / np.maximum(_skin(picture, landmarks), 1.0)
    brighter = gains.mean()
    gains = brighter * np.sqrt(gains / brighter)  # teeth take on less of a light's colour than skin
    coloured = picture.astype(np.float32) * np.clip(gains, *_GAINS)
    if np.abs(photo.astype(np.float32) - photo.mean(2, keepdims=True)).mean() < _GREY:
        coloured = np.repeat(coloured.mean(2, keepdims=True), 3, axis=2)
    return np.rint(np.clip(coloured, 0, 255)).astype(np.uint8)


def _skin(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(3,) mean colour around the mouth of a square picture."""
    lips = landmarks[np.concatenate([UPPER, LOWER]), :2] * len(picture)
    middle, width = lips.mean(0), float(np.linalg.norm(lips[0] - lips[10]))
    ring = np.zeros(picture.shape[:2], np.uint8)
    centre = tuple(int(value) for value in middle)
    cv2.circle(ring, centre, int(_SKIN[1] * width), 1, -1)
    cv2.circle(ring, centre, int(_SKIN[0] * width), 0, -1)
    cv2.fillPoly(ring, [cv2.convexHull(lips.astype(np.int32))], 0)
    return picture[ring > 0].reshape(-1, 3).astype(np.float32).mean(0)
