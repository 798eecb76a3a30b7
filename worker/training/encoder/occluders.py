"""Things before faces: hands, hats, glasses, and whatever else stands in the way.

Drawn shapes, not photographs of things; what the encoder has to learn is only which part of a
picture not to believe.
"""

from __future__ import annotations

import cv2
import numpy as np

_EYES = ((98.0, 120.0), (158.0, 120.0))  # where FFHQ's alignment puts them in 256 pixels


def occluded(picture: np.ndarray, texture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A picture with something before the face or the head.

    Args:
        picture: (256, 256, 3) float32 in [0, 1].
        texture: (256, 256, 3) uint8 that hats and patches may be made of.
    """
    kind = random.choice(4, p=(0.3, 0.25, 0.25, 0.2))
    if kind == 0:
        return _glasses(picture, random)
    shape = (_hand, _hat, _patch)[kind - 1](picture.shape[0], random)
    shape = cv2.GaussianBlur(shape, (0, 0), random.uniform(0.6, 2.0))[..., None]
    if kind == 1:
        surface = _skin(picture, random)
    else:
        surface = _cloth(texture, random)
    return picture + shape * (surface - picture)


def _hand(size: int, random: np.random.Generator) -> np.ndarray:
    """A palm that comes from an edge, with fingers on the face."""
    mask = np.zeros((size, size), np.float32)
    start = np.array([random.choice([0.0, float(size)]), random.uniform(0.5, 1.1) * size])
    palm = np.array([random.uniform(0.25, 0.75), random.uniform(0.5, 0.95)]) * size
    _thick_line(mask, start, palm, random.uniform(28, 48))
    heading = np.arctan2(*(np.array([0.5, 0.45]) * size - palm)[::-1])
    for spread in np.linspace(-0.5, 0.5, int(random.integers(2, 5))):
        angle = heading + spread + random.normal(0, 0.08)
        length = random.uniform(45, 80)
        tip = palm + length * np.array([np.cos(angle), np.sin(angle)])
        _thick_line(mask, palm, tip, random.uniform(11, 17))
    return mask


def _hat(size: int, random: np.random.Generator) -> np.ndarray:
    """All above a curved brim."""
    mask = np.zeros((size, size), np.float32)
    brim = random.uniform(0.12, 0.36) * size
    centre = (round(size / 2 + random.normal(0, 8)), round(brim))
    crown = (round(random.uniform(0.3, 0.5) * size), round(random.uniform(0.3, 0.7) * size))
    tilt = random.normal(0, 8)
    cv2.ellipse(mask, centre, crown, tilt, 180, 360, 1.0, -1)
    visor = (round(crown[0] * random.uniform(0.9, 1.4)), round(random.uniform(4, 22)))
    cv2.ellipse(mask, centre, visor, tilt, 0, 360, 1.0, -1)
    return mask


def _patch(size: int, random: np.random.Generator) -> np.ndarray:
    """A rectangle or an ellipse anywhere: a cup, a microphone, somebody's shoulder, hair."""
    mask = np.zeros((size, size), np.float32)
    centre = tuple(int(v) for v in random.uniform(0, size, 2))
    axes = tuple(int(v) for v in random.uniform(14, 58, 2))
    angle = random.uniform(0, 180)
    if random.random() < 0.5:
        cv2.ellipse(mask, centre, axes, angle, 0, 360, 1.0, -1)
    else:
        sides = (2.0 * axes[0], 2.0 * axes[1])
        corners = cv2.boxPoints(((float(centre[0]), float(centre[1])), sides, angle))
        cv2.fillPoly(mask, [corners.round().astype(np.int32)], 1.0)
    return mask


def _glasses(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Frames, a bridge and temples; the lenses clear, tinted or dark."""
    frame = np.zeros(picture.shape[:2], np.float32)
    lens = np.zeros_like(frame)
    axes = (round(random.uniform(19, 29)), round(random.uniform(14, 25)))
    width = int(random.integers(1, 6))
    shift = random.normal(0, 2.5, 2)
    centres = [tuple(int(v) for v in (np.array(eye) + shift).round()) for eye in _EYES]
    for centre in centres:
        cv2.ellipse(lens, centre, axes, 0, 0, 360, 1.0, -1)
        cv2.ellipse(frame, centre, axes, 0, 0, 360, 1.0, width)
    (x0, y0), (x1, y1) = centres
    cv2.line(frame, (x0 + axes[0], y0 - 4), (x1 - axes[0], y1 - 4), 1.0, width)
    cv2.line(frame, (x0 - axes[0], y0), (x0 - axes[0] - 30, y0 - 4), 1.0, width)
    cv2.line(frame, (x1 + axes[0], y1), (x1 + axes[0] + 30, y1 - 4), 1.0, width)
    darkness = random.choice([0.0, random.uniform(0.1, 0.4), random.uniform(0.8, 1.0)])
    tint = random.uniform(0, 0.15, 3).astype(np.float32)
    picture = picture + darkness * cv2.GaussianBlur(lens, (0, 0), 0.8)[..., None] * (tint - picture)
    colour = (random.uniform(0, 0.5) * random.uniform(0.6, 1.0, 3)).astype(np.float32)
    return picture + cv2.GaussianBlur(frame, (0, 0), 0.8)[..., None] * (colour - picture)


def _skin(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The person's own colour, unevenly lit."""
    cheek = picture[150:175, 85:171].reshape(-1, 3)
    colour = np.median(cheek, 0) * random.uniform(0.75, 1.2)
    return (colour * _uneven(picture.shape[0], 0.15, random)).astype(np.float32)


def _cloth(texture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A colour with folds, or a piece of another picture."""
    if random.random() < 0.4:
        flipped = texture[:, ::-1] if random.random() < 0.5 else texture[::-1]
        return flipped.astype(np.float32) / 255
    colour = random.uniform(0.02, 0.9, 3)
    return (colour * _uneven(texture.shape[0], 0.35, random)).astype(np.float32)


def _uneven(size: int, amount: float, random: np.random.Generator) -> np.ndarray:
    """(size, size, 1) smooth factors around 1."""
    coarse = 1 + amount * random.standard_normal((6, 6)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)[..., None].clip(0, 2)


def _thick_line(mask: np.ndarray, start: np.ndarray, end: np.ndarray, width: float) -> None:
    ends = [tuple(int(v) for v in point.round()) for point in (start, end)]
    cv2.line(mask, ends[0], ends[1], 1.0, max(round(width), 1), cv2.LINE_AA)
