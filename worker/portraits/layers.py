"""A picture in layers: the background behind the person, the person in front, moved or not.

Every function here is pure. At rest each gives back what it was given, bit for bit, and nothing
jumps when a motion begins: the layers fade in with the distance that a pixel has moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .head_motion import HeadMotion, HeadPlace, source_positions

# Lengths are parts of the aligned square's side, so that they are the same at every size.
_SEAM_REACH = 0.03  # how far outside the person the driven picture ends
_SEAM_WIDTH = 0.05  # over which it fades into the picture at rest
_GATE_REACH = 0.12  # how far from the person at rest a moving person may reach
_CORE_DEPTH = 0.05  # how deep inside the person at rest nothing but person is
_PLATE_REACH = 0.025  # how far outside the person the background is repainted
_FADE = 0.018  # distance a pixel has to move until only the layers are seen
_COLOUR_REACH = 0.06  # from how far the colours of person and background are told apart
_LEAST = 1 / 512  # below it, a weight cannot change a level


@dataclass(frozen=True, eq=False)
class RestLayers:
    """A picture at rest and what is behind the person; made once for a portrait and size.

    Attributes:
        picture: (h, w, 3) uint8, the picture that the background is kept from.
        person: (h, w) float32 matte.
        gate: (h, w) float32, 1 near the person: other people in the background do not move along.
        core: (h, w) float32, 1 deep inside the person, where mattes sometimes have holes.
        plate: (h, w, 3) uint8, the picture without the person.
        unit: pixels of the aligned square's side.
    """

    picture: np.ndarray
    person: np.ndarray
    gate: np.ndarray
    core: np.ndarray
    plate: np.ndarray
    unit: float


def rest_layers(
    picture: np.ndarray, matte: np.ndarray, head: tuple[float, float], unit: float
) -> RestLayers:
    """Take a picture at rest apart.

    Args:
        picture: (h, w, 3) uint8.
        matte: (h, w) float32.
        head: x and y of a pixel within the head.
        unit: pixels of the aligned square's side.
    """
    whole = _whole_person(matte, head)
    gate = _soft(_grown(whole, _GATE_REACH * unit), _GATE_REACH / 3 * unit)
    core = _soft(_grown(whole, -_CORE_DEPTH * unit), _CORE_DEPTH / 3 * unit)
    person = clean(matte, gate, core)
    return RestLayers(picture, person, gate, core, _plate(picture, person, unit), unit)


def clean(matte: np.ndarray, gate: np.ndarray, core: np.ndarray) -> np.ndarray:
    """A matte (h, w) without people of the background and without holes."""
    return np.maximum(matte * gate, core)


def seam(rest: np.ndarray, driven: np.ndarray, unit: float) -> np.ndarray:
    """(h, w) in [0, 1]: where the driven picture is seen, around both mattes (h, w)."""
    person = (np.maximum(rest, driven) > 0.1).astype(np.float32)
    return _soft(_grown(person, (_SEAM_REACH + _SEAM_WIDTH / 2) * unit), _SEAM_WIDTH / 2 * unit)


def blend(below: np.ndarray, above: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """uint8 pictures mixed; where the weight is 0 the lower one, where it is 1 the upper one."""
    mixed = below + weight[..., None] * (above.astype(np.float32) - below)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def moved(
    picture: np.ndarray,
    person: np.ndarray,
    rest: RestLayers,
    place: HeadPlace,
    motion: HeadMotion,
) -> np.ndarray:
    """The picture with its head moved.

    Args:
        picture: (h, w, 3) uint8, driven, its background that of ``rest``.
        person: (h, w) float32, its matte, clean.

    Returns:
        (h, w, 3) uint8; outside both the moved person and the person at rest it is the picture at
        rest bit for bit.
    """
    height, width = person.shape
    source = source_positions((height, width), place, motion)
    still = source - _positions(height, width)
    fade = _smooth(np.hypot(still[..., 0], still[..., 1]) / (_FADE * rest.unit))
    pad = round(0.25 * rest.unit)
    opacity = cv2.remap(
        _extended(person, pad, 0.33 * rest.unit), source[..., 0] + pad, source[..., 1] + pad, 1
    )
    colours = picture.astype(np.float32)
    own = _person_colours(colours, person, max(round(_COLOUR_REACH * rest.unit), 3))
    mode = (cv2.INTER_CUBIC, cv2.BORDER_REFLECT_101)
    front = cv2.remap(colours, source, None, mode[0], borderMode=mode[1])
    own = cv2.remap(own, source, None, mode[0], borderMode=mode[1])
    front += fade[..., None] * (own - front)
    behind = colours + fade[..., None] * (rest.plate - colours)
    result = behind + opacity[..., None] * (front - behind)
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def _positions(height: int, width: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([x, y], -1)


def _smooth(value: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(value, 0, 1)
    return t * t * (3 - 2 * t)


def _grown(mask: np.ndarray, distance: float) -> np.ndarray:
    """A mask (h, w) of zeros and ones grown, or shrunk if negative, by a distance in pixels."""
    size = 2 * round(abs(distance)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    if distance >= 0:
        return cv2.dilate(mask, kernel)
    return cv2.erode(mask, kernel, borderType=cv2.BORDER_REPLICATE)


def _soft(mask: np.ndarray, distance: float) -> np.ndarray:
    """Edges faded over the distance on both sides; 0 and 1 exactly beyond it."""
    size = 2 * max(round(distance / 2), 1) + 1
    for _ in range(2):
        mask = cv2.blur(mask, (size, size), borderType=cv2.BORDER_REPLICATE)
    return np.where(mask < _LEAST, 0, np.where(mask > 1 - _LEAST, 1, mask)).astype(np.float32)


def _whole_person(matte: np.ndarray, head: tuple[float, float]) -> np.ndarray:
    """(h, w) 0 or 1: the connected part that holds the head, holes filled."""
    inside = (matte > 0.5).astype(np.uint8)
    _, labels = cv2.connectedComponents(inside, connectivity=4)
    row = int(np.clip(head[1], 0, matte.shape[0] - 1))
    column = int(np.clip(head[0], 0, matte.shape[1] - 1))
    own = labels == labels[row, column] if inside[row, column] else inside > 0
    # What the border does not reach through the background is a hole. The lower edge belongs to
    # the body, so that gaps between arms and picture are background all the same.
    outside = np.pad((~own).astype(np.uint8), ((1, 0), (1, 1)), constant_values=1)
    _, labels = cv2.connectedComponents(outside, connectivity=4)
    return (labels[1:, 1:-1] != labels[0, 0]).astype(np.float32)


def _plate(picture: np.ndarray, person: np.ndarray, unit: float) -> np.ndarray:
    """The background, continued smoothly behind the person."""
    covered = _grown((person > 0.05).astype(np.float32), _PLATE_REACH * unit)
    filled = _continued(picture.astype(np.float32), 1 - covered)
    return blend(picture, filled, _soft(covered, _PLATE_REACH / 2 * unit))


def _continued(colours: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Unknown parts filled from their surroundings, from coarse to fine (push and pull)."""
    height, width = known.shape
    if known.min() > 0 or max(height, width) <= 2:
        mean = (colours * known[..., None]).sum((0, 1)) / max(known.sum(), 1e-6)
        return np.where(known[..., None] > 0, colours, mean).astype(np.float32)
    size = ((width + 1) // 2, (height + 1) // 2)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(colours * known[..., None], size, interpolation=cv2.INTER_AREA)
    small /= np.maximum(weight, 1e-6)[..., None]
    coarse = _continued(small, np.minimum(weight * 4, 1) * (weight > 1e-3))
    coarse = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return coarse + known[..., None] * (colours - coarse)


def _person_colours(colours: np.ndarray, person: np.ndarray, size: int) -> np.ndarray:
    """(h, w, 3) colours of the person alone, also where its edge lets the background through.

    'Fast multi-level foreground estimation' in its blurred form (Forte 2021), two passes.
    """
    weight = person[..., None]
    foreground, background = colours, colours
    for width in (size, max(size // 4, 3)):
        inside = cv2.blur(person, (width, width))[..., None]
        mean = cv2.blur(foreground * weight, (width, width)) / (inside + 1e-5)
        outside = cv2.blur(background * (1 - weight), (width, width)) / (1 - inside + 1e-5)
        foreground = mean + weight * (colours - weight * mean - (1 - weight) * outside)
        foreground, background = np.clip(foreground, 0, 255), np.clip(outside, 0, 255)
    return foreground


def _extended(person: np.ndarray, pad: int, half_width: float) -> np.ndarray:
    """A matte with ``pad`` pixels more on each side: hair cut by the upper edge ends in a dome.

    Args:
        half_width: pixels from the middle of a head of usual width to its side.
    """
    wide = cv2.copyMakeBorder(person, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    row = person[0]
    width = float(row.sum())
    wide[:pad] = 0
    if width < 1:
        return wide
    middle = float((row * np.arange(len(row))).sum()) / width
    reach = max(half_width, 0.55 * width)
    height = 1.2 * reach * (1 - np.sqrt(1 - (width / 2 / reach) ** 2))
    above = np.arange(pad, 0, -1, dtype=np.float32)[:, None] / max(height, 1)
    narrowing = np.sqrt(np.clip(1 - above**2, 0, 1))
    x = np.arange(wide.shape[1], dtype=np.float32)[None] - pad
    columns = middle + (x - middle) / np.maximum(narrowing, 1e-3)
    columns = np.clip(columns, 0, len(row) - 1).astype(np.float32)
    dome = cv2.remap(row[None], columns, np.zeros_like(columns), cv2.INTER_LINEAR)
    wide[:pad] = dome * np.clip(narrowing * 8, 0, 1)
    return wide
