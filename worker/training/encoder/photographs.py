"""Generated faces made to look as if people had photographed them.

What happens to a face on its way into a file, in the order in which it happens: something covers
part of it, it stands before another background, light falls from a side, the lens blurs, the
sensor adds noise, the camera chooses exposure, white balance and a curve, somebody makes it grey
or small, JPEG compresses it, and the alignment is a little off. Colour changes stay moderate: the
latents hold light and colour themselves, and an encoder that had to ignore them would lose them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from photorig.worker.faces.segmentation import Matte

from .occluders import occluded

SIZE = 256


@dataclass(frozen=True)
class Chances:
    """How often each change happens, 0 to 1; what always happens is not listed."""

    covered: float = 0.3
    background: float = 0.2
    light: float = 0.5
    blurred: float = 0.45
    noise: float = 0.6
    grey: float = 0.06
    jpeg: float = 0.75


def photograph(
    image: np.ndarray,
    matte: Matte,
    backdrop: np.ndarray,
    random: np.random.Generator,
    chances: Chances | None = None,
) -> np.ndarray:
    """One photo of a face.

    Args:
        image: (256, 256, 3) uint8.
        matte: finds the person where the background is to change.
        backdrop: (256, 256, 3) uint8, another picture that a background may be made of.

    Returns:
        (256, 256, 3) uint8.
    """
    chances = chances or Chances()
    picture = image.astype(np.float32) / 255
    if random.random() < chances.background:
        picture = before_another(picture, matte.person(image), backdrop, random)
    if random.random() < chances.covered:
        picture = occluded(picture, backdrop, random)
    if random.random() < chances.light:
        picture = _lit(picture, random)
    picture = _misaligned(picture, random)
    if random.random() < chances.blurred:
        picture = _blurred(picture, random)
    if random.random() < chances.noise:
        picture = _noisy(picture, random)
    picture = _developed(picture, random)
    if random.random() < chances.grey:
        picture = np.repeat(picture @ _LUMA, 3).reshape(picture.shape)
    result = (picture.clip(0, 1) * 255).round().astype(np.uint8)
    return _compressed(result, random) if random.random() < chances.jpeg else result


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def before_another(
    picture: np.ndarray, person: np.ndarray, backdrop: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """The person before another background: a plain wall, a gradient, or something out of focus."""
    front = cv2.resize(person, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)[..., None]
    kind = random.random()
    if kind < 0.3:
        colour = random.uniform(0, 1, 3).astype(np.float32)
        behind = np.broadcast_to(colour, picture.shape).copy()
    elif kind < 0.6:
        corners = random.uniform(0, 1, (2, 2, 3)).astype(np.float32)
        behind = cv2.resize(corners, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    else:
        behind = backdrop.astype(np.float32) / np.float32(255)
        zoom = random.uniform(1.5, 4)
        side = round(SIZE / zoom)
        left, top = random.integers(0, SIZE - side + 1, 2)
        behind = behind[top : top + side, left : left + side]
        behind = cv2.resize(behind, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        behind = cv2.GaussianBlur(behind, (0, 0), random.uniform(1, 20))
    return front * picture + (1 - front) * behind


def _lit(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Brighter on one side, as a window or a lamp does it; sometimes of another colour."""
    angle, strength = random.uniform(0, 2 * np.pi), random.uniform(0.05, 0.35)
    ramp = np.linspace(-1, 1, SIZE, dtype=np.float32)
    falling = np.cos(angle) * ramp[None, :] + np.sin(angle) * ramp[:, None]
    tint = 1 + random.normal(0, 0.1, 3).astype(np.float32)
    return picture * (1 + strength * np.tanh(1.5 * falling)[..., None] * tint).astype(np.float32)


def _misaligned(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Turned, scaled and shifted by what landmarks err; now and then by several times that."""
    much = 2.5 if random.random() < 0.15 else 1.0
    angle, scale = random.normal(0, 1.2) * much, np.exp(random.normal(0, 0.015) * much)
    matrix = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), angle, scale)
    matrix[:, 2] += random.normal(0, 1.5, 2) * much
    if random.random() < 0.15:  # a head at the edge of its photo: the rest is mirrored
        picture = _mirrored_edge(picture, random)
    return cv2.warpAffine(
        picture, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )


def _mirrored_edge(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    left, top, right, bottom = random.integers(0, 36, 4) * (random.random(4) < 0.5)
    inner = picture[top : SIZE - bottom, left : SIZE - right]
    return cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_REFLECT_101)


def _blurred(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Out of focus, moved, or enlarged from a small picture."""
    kind = random.random()
    if kind < 0.4:
        return cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 2.0))
    if kind < 0.55:
        length, angle = int(random.integers(3, 9)), random.uniform(0, np.pi)
        kernel = np.zeros((length, length), np.float32)
        centre = (length - 1) / 2
        reach = centre * np.array([np.cos(angle), np.sin(angle)])
        ends = [tuple(int(v) for v in (centre + s * reach).round()) for s in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0)
        return cv2.filter2D(picture, -1, kernel / kernel.sum())
    side = round(SIZE / random.uniform(1.2, 3.5))
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def _noisy(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Shot noise grows with the root of the light; read noise does not."""
    shot, read = random.uniform(0, 0.05), random.uniform(0, 0.015)
    deviation = np.sqrt(shot**2 * picture.clip(0, 1) + read**2)
    noise = random.standard_normal(picture.shape, np.float32)
    if random.random() < 0.4:  # cameras smear what noise they cannot remove
        noise = cv2.GaussianBlur(noise, (0, 0), 0.8) * 2
    return picture + deviation * noise


def _developed(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Exposure, white balance, saturation and the camera's curve."""
    exposure = 2 ** random.normal(0, 0.15)
    balance = np.exp(random.normal(0, 0.04, 3)).astype(np.float32)
    picture = np.maximum(picture * exposure * balance, 0)
    grey = (picture @ _LUMA)[..., None]
    picture = grey + np.exp(random.normal(0, 0.12)) * (picture - grey)
    picture = np.maximum(picture, 0) ** np.exp(random.normal(0, 0.1))
    return ((picture - 0.5) * np.exp(random.normal(0, 0.08)) + 0.5).astype(np.float32)


def _compressed(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    quality = int(random.integers(30, 96))
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])
