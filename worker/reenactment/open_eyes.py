"""Open eyes for photos of shut ones, drawn once by the untuned generator.

Where a photo hardly shows an eye there is nothing to see when it opens. What was known of eyes
before the tuning is kept instead, taken apart as a photo's own eyes are (take_eyes_apart.py).
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from photorig.shared.errors import InputError
from photorig.worker.compositing.face_mesh import FacePose
from photorig.worker.generators.regions import RegionalStyles
from photorig.worker.portraits.eye_frame import PARTS, Eye, EyeFrame
from photorig.worker.portraits.eyeball import ARRAYS, Eyeballs

from .calibration import DrivenFace
from .measure_mouth import like_photo
from .region_masks import region_masks
from .take_eyes_apart import eyeballs_of

_SIZE = 512
"""Of the picture of open eyes."""
_ENLARGED = 2
"""Times that it is enlarged to be taken apart: irises are found in pixels."""
_AMOUNTS = (-1.0, -1.4)
"""Of a blink, as far as the generator goes with it, that are tried: an eye opens as it shuts."""
_SHUT = 0.17
"""Gap between lids at rest, in widths of the eye, below which a photo hardly shows an eye."""
_WIDE = 0.24
"""Gap between lids, in widths of the eye, from which an eye is open enough to be kept."""


def with_open_eyes(
    own: Eyeballs | None,
    untuned: DrivenFace,
    blink: np.ndarray,
    rest: np.ndarray,
    eyes: tuple[Eye, ...],
    offset: np.ndarray,
) -> Eyeballs | None:
    """A photo's own eyes, with the generator's where the photo does not show them.

    Args:
        own: those of the photo; None where it shows neither.
        untuned: the face driven by the generator without the portrait's tuning.
        blink: (K, rows, w_dim) what it does for a full blink of both eyes.
        rest: (478, 3) landmarks of the tuned generator's picture, in sides of the square.
        offset: (m, m, 3) float32, by how much the photo's colours differ from the generator's.
    """
    known = np.array((False, False) if own is None else own.known)
    wanted = ~known & [_gap(rest, eye) < _SHUT for eye in eyes]
    if not wanted.any():
        return own
    drawn = _opened(untuned, blink, rest, eyes)
    if drawn is None:
        return own
    picture, seen = drawn
    picture = like_photo(picture, seen, untuned, rest)
    large = cv2.resize(picture, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_CUBIC)
    made = eyeballs_of(large, offset, seen, eyes, FacePose.of(seen).scale)
    if made is None:
        return own
    made = replace(made, disc=made.disc * wanted[:, None])
    if own is None:
        return made if made.disc.any() else None
    chosen = {}
    for name in ARRAYS:
        mine, other = getattr(own, name), getattr(made, name)
        which = known.reshape(-1, *[1] * (mine.ndim - 1))
        chosen[name] = np.where(which, mine, other)
    return replace(own, **chosen)


def _gap(landmarks: np.ndarray, eye: Eye) -> float:
    """Mean gap between lids, in widths of the eye; 1 where the eye is not seen."""
    frame = EyeFrame.of(landmarks * _SIZE, eye)
    return 1.0 if frame is None else float(frame.gap(PARTS).mean() / frame.width)


def _opened(
    face: DrivenFace, blink: np.ndarray, rest: np.ndarray, eyes: tuple[Eye, ...]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Picture of both eyes open, and its landmarks in sides of the square."""
    masks = region_masks(rest)
    for amount in _AMOUNTS:
        styles = RegionalStyles(blink * np.float32(amount), masks)
        picture = face.generator.synthesize(face.portrait.latents[None], _SIZE, styles)[0]
        try:
            landmarks = face.net3d.analyze_one(picture).landmarks / _SIZE
        except InputError:
            continue
        if min(_gap(landmarks, eye) for eye in eyes) > _WIDE:
            return picture, landmarks
    return None
