"""How well a face can be seen in its photo: blurred, behind glasses, a mask, a hand.

All measures are taken on the aligned crop. Their limits were set on real photos, the same photos
with painted masks and sunglasses, and generated faces; docs/measurements.md has the rates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.portraits.alignment import Alignment

_SIZE = 256
_RIGHT_EYE = (226, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25)
_LEFT_EYE = (446, 467, 260, 259, 257, 258, 286, 414, 463, 341, 256, 252, 253, 254, 339, 255)
"""The eyes with lids and the skin around, as far as glasses cover them."""
_BELOW_EYES = (230, 229, 450, 449)
_CHEEKS = (205, 425, 50, 280)
_AROUND_MOUTH = (164, 200, 205, 425)
_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
_OUTER_CORNERS = (33, 263)

# Turned by degrees, scaled, moved by crop pixels: what a visible face does not mind.
_LOOKS = ((12.0, 1.0, 0.0), (-12.0, 1.0, 0.0), (0.0, 0.8, 10.0), (0.0, 1.15, -10.0))


@dataclass(frozen=True)
class Visibility:
    """What was measured.

    Attributes:
        softness: how much of the contrast between neighbouring pixels (of 256 across the head) a
            blur of 2 pixels leaves; nearer to 1 the more blurred the photo is already.
        eye_light: lightness of the lightest parts around the eyes ÷ that of the cheeks.
        below_eyes_light: of the skin below the eyes ÷ that of the cheeks.
        mouth_contrast: standard deviation of lightness (0 to 100) around the mouth.
        lip_colour: how much redder than the skin around them the lips are (CIELAB a*).
        found: of four slightly changed looks, how many showed the face.
        play: mean distance of landmarks between these looks, in hundredths of the distance between
            the eyes' outer corners.
    """

    softness: float
    eye_light: float
    below_eyes_light: float
    mouth_contrast: float
    lip_colour: float
    found: int
    play: float

    @property
    def is_blurred(self) -> bool:
        return self.softness > 0.8

    @property
    def hides_eyes(self) -> bool:
        """Sunglasses are dark where there is light skin below the eyes, too; deep eyes are not."""
        return self.eye_light < 0.6 and self.below_eyes_light < 0.6

    @property
    def hides_mouth(self) -> bool:
        return self.mouth_contrast < 5.0 and abs(self.lip_colour) < 1.5

    @property
    def is_uncertain(self) -> bool:
        """Landmarks that are guessed do not stay when the picture is turned a little."""
        return self.found < len(_LOOKS) or self.play > 2.0

    @property
    def is_hidden(self) -> bool:
        return self.found < 2


def measure_visibility(
    photo: np.ndarray,
    face: FaceMeasurement,
    alignment: Alignment,
    analyze: Callable[[np.ndarray], list[FaceMeasurement]],
) -> Visibility:
    """Look at a face closely; about 50 ms.

    Args:
        photo: (h, w, 3) uint8 sRGB.
        alignment: of this face, see alignment.py.
        analyze: `Net3D.analyze`.
    """
    crop = alignment.crop(photo, _SIZE)
    points = alignment.to_square(face.landmarks[:, :2].astype(np.float64)) * _SIZE
    smooth = cv2.GaussianBlur(crop, (0, 0), 1.0).astype(np.float32) / 255
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
    cheeks = max(float(_around(lab, points, _CHEEKS)[0]), 1.0)
    eyes = [lab[_inside(points, eye)][:, 0] for eye in (_RIGHT_EYE, _LEFT_EYE)]
    # The better seen eye counts: the other may lie in shadow.
    eye_light = max(float(np.percentile(eye, 85)) for eye in eyes) / cheeks
    lips = lab[_inside(points, _LIPS)][:, 1]
    around = _around(lab, points, _AROUND_MOUTH)[1]
    found, play = _steadiness(crop, points, analyze)
    return Visibility(
        softness=_softness(crop),
        eye_light=eye_light,
        below_eyes_light=float(_around(lab, points, _BELOW_EYES)[0]) / cheeks,
        mouth_contrast=float(_box(lab, points, _LIPS)[..., 0].std()),
        lip_colour=float(np.median(lips) - around),
        found=found,
        play=play,
    )


def _softness(crop: np.ndarray) -> float:
    """After Crete et al. 2007: blurring changes what is blurred already only little."""
    face = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[64:224, 56:200].astype(np.float32)
    blurred = cv2.GaussianBlur(face, (0, 0), 2.0)
    before, after = (
        np.abs(np.diff(image, axis=0)).mean() + np.abs(np.diff(image, axis=1)).mean()
        for image in (face, blurred)
    )
    return float(after / before) if before > 0 else 1.0


def _steadiness(
    crop: np.ndarray,
    points: np.ndarray,
    analyze: Callable[[np.ndarray], list[FaceMeasurement]],
) -> tuple[int, float]:
    """In how many looks the face was found, and `Visibility.play`."""
    seen = []
    for angle, scale, offset in _LOOKS:
        matrix = cv2.getRotationMatrix2D((_SIZE / 2, _SIZE / 2), angle, scale)
        matrix[0, 2] += offset
        look = cv2.warpAffine(
            crop,
            matrix,
            (_SIZE, _SIZE),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        faces = analyze(look)
        if faces:
            back = cv2.invertAffineTransform(matrix)
            seen.append(faces[0].landmarks[:, :2] @ back[:, :2].T + back[:, 2])
    if len(seen) < 2:
        return len(seen), float("inf")
    away = np.linalg.norm(np.array(seen) - np.median(seen, 0), axis=-1).mean()
    right, left = points[list(_OUTER_CORNERS)]
    return len(seen), float(100 * away / max(np.linalg.norm(left - right), 1.0))


def _around(lab: np.ndarray, points: np.ndarray, landmarks: tuple[int, ...]) -> np.ndarray:
    """(3,) median colour of small discs around some landmarks."""
    mask = np.zeros(lab.shape[:2], np.uint8)
    for x, y in np.rint(points[list(landmarks)]).astype(int).tolist():
        cv2.circle(mask, (x, y), 5, 1, -1)
    return _median(lab, mask)


def _median(lab: np.ndarray, mask: np.ndarray) -> np.ndarray:
    chosen = lab[mask > 0]
    return np.median(chosen if len(chosen) else lab.reshape(-1, 3), 0)


def _inside(points: np.ndarray, outline: tuple[int, ...]) -> np.ndarray:
    """(256, 256) bool, never empty."""
    mask = np.zeros((_SIZE, _SIZE), np.uint8)
    corners = np.clip(np.rint(points[list(outline)]), 0, _SIZE - 1).astype(np.int32)
    cv2.fillPoly(mask, [corners], 1)
    return mask > 0


def _box(lab: np.ndarray, points: np.ndarray, landmarks: tuple[int, ...]) -> np.ndarray:
    chosen = points[list(landmarks)]
    low = np.clip(chosen.min(0).astype(int) - 4, 0, _SIZE - 8)
    high = np.clip(chosen.max(0).astype(int) + 5, low + 4, _SIZE)
    return lab[low[1] : high[1], low[0] : high[0]]
