"""Puts a driven aligned crop back into its photo."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from photorig.worker.portraits.align import side_in_pixels, to_photo

_MARGIN = 0.01  # of the crop's side stays outside the mask altogether
_CORNER = 0.3  # radius of the mask's corners, same unit: heads are round
_FEATHER = 0.1  # width of the blend, same unit


def paste_back(
    photo: np.ndarray, crop: np.ndarray, alignment: np.ndarray, person: np.ndarray | None = None
) -> np.ndarray:
    """The photo with the person in the aligned square replaced, within a soft rounded box.

    The box depends on photo size and alignment only, so it never moves with the parameters.

    Args:
        photo: (h, w, 3) uint8.
        crop: (s, s, 3) uint8, any s.
        alignment: (2, 3), see align.py; the square may reach beyond the photo.
        person: (s, s) float32 in [0, 1], how much of the crop to show; all of it if None.

    Returns:
        (h, w, 3) uint8, a new array; outside the mask it equals the photo bit for bit.
    """
    height, width = photo.shape[:2]
    left, top, mask = _mask(height, width, np.asarray(alignment, np.float64).tobytes())
    result = photo.copy()
    if mask.size == 0:
        return result
    window = result[top : top + mask.shape[0], left : left + mask.shape[1]]
    face = _in_photo(crop, alignment, left, top, mask.shape).astype(np.float32)
    if person is not None:
        mask = mask * _in_photo(person, alignment, left, top, mask.shape)
    blended = window + mask[..., None] * (face - window)
    window[:] = np.rint(blended).astype(np.uint8)
    return result


def paste_mask(height: int, width: int, alignment: np.ndarray) -> np.ndarray:
    """(height, width) float32 in [0, 1]: how much of the crop `paste_back` shows at each pixel."""
    left, top, mask = _mask(height, width, np.asarray(alignment, np.float64).tobytes())
    whole = np.zeros((height, width), np.float32)
    whole[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    return whole


@functools.lru_cache(maxsize=4)  # a sequence uses one mask for all its frames
def _mask(height: int, width: int, alignment_bytes: bytes) -> tuple[int, int, np.ndarray]:
    """Left, top and the mask within the square's bounding box in the photo."""
    alignment = np.frombuffer(alignment_bytes, np.float64).reshape(2, 3)
    corners = to_photo(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64), alignment)
    left, top = np.clip(np.floor(corners.min(0)), 0, [width, height]).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(0)), 0, [width, height]).astype(int)
    x, y = np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5
    (a, b, c), (d, e, f) = alignment
    u = (a * x + c)[None, :] + (b * y)[:, None]
    v = (d * x + f)[None, :] + (e * y)[:, None]
    mask = _soft_box(u, v)
    mask.flags.writeable = False
    return int(left), int(top), mask


def _soft_box(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """1 inside, 0 outside a box with round corners in the unit square, smooth between."""
    reach = 0.5 - _MARGIN - _CORNER
    beyond_u, beyond_v = np.abs(u - 0.5) - reach, np.abs(v - 0.5) - reach
    outside = np.hypot(np.maximum(beyond_u, 0), np.maximum(beyond_v, 0))
    inside = np.minimum(np.maximum(beyond_u, beyond_v), 0)
    depth = np.clip((_CORNER - outside - inside) / _FEATHER, 0, 1)
    return (depth * depth * (3 - 2 * depth)).astype(np.float32)


def _in_photo(
    crop: np.ndarray, alignment: np.ndarray, left: int, top: int, shape: tuple[int, ...]
) -> np.ndarray:
    """The crop as it lies in a window of the photo."""
    pixels = side_in_pixels(alignment)
    size = crop.shape[0]
    if pixels < size:  # shrink with an average first: warping alone would alias
        size = max(round(pixels), 1)
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    matrix = alignment * size
    # Photo pixel centre (x + left + ½, …) to crop pixel index; OpenCV takes it as the inverse map.
    matrix[:, 2] += matrix[:, :2] @ [left + 0.5, top + 0.5] - 0.5
    return cv2.warpAffine(
        crop,
        matrix,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
