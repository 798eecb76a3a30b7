"""What is done to pictures pixel by pixel, wherever they are: arrays by OpenCV, tensors by torch.

The stage is written once, with these. An array is worked on as OpenCV does, bit for bit; a tensor
stays on its device, and its numbers are OpenCV's but for rounding (tensors.py). Pictures are
(h, w, channels), masks (h, w).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

Raster = Any
"""An array, or a tensor of torch: (h, w) or (h, w, channels), uint8 or float32."""


def is_array(raster: Raster) -> bool:
    """Whether OpenCV can work on it."""
    return isinstance(raster, np.ndarray)


def like(values: np.ndarray, other: Raster) -> Raster:
    """An array where another raster is."""
    if is_array(other):
        return values
    from .tensors import sent

    return sent(values, other.device)


def finished(raster: Raster) -> np.ndarray:
    """An array that is contiguous; a tensor is fetched."""
    if is_array(raster):
        return np.ascontiguousarray(raster)
    from .tensors import fetched

    return fetched(raster.contiguous())


def copied(raster: Raster) -> Raster:
    return raster.copy() if is_array(raster) else raster.clone()


def empty_like(raster: Raster) -> Raster:
    if is_array(raster):
        return np.empty_like(raster)
    return raster.new_empty(raster.shape)


def floats(raster: Raster) -> Raster:
    """As float32."""
    return raster.astype(np.float32) if is_array(raster) else raster.float()


def of_type(raster: Raster, other: Raster) -> Raster:
    """Numbers in the type of another raster, cut off where that is of levels."""
    return raster.astype(other.dtype) if is_array(raster) else raster.to(other.dtype)


def levels(raster: Raster) -> Raster:
    """Numbers as uint8, rounded to even, clipped."""
    if is_array(raster):
        return np.rint(np.clip(raster, 0, 255)).astype(np.uint8)
    return _tensors().levels(raster)


def saturated(raster: Raster) -> Raster:
    """Numbers as uint8 as OpenCV converts them."""
    if is_array(raster):
        return np.asarray(cv2.convertScaleAbs(np.maximum(raster, 0)))
    return _tensors().levels(raster)


def equal(first: Raster, second: Raster) -> bool:
    """Whether two rasters of one place have the same numbers."""
    return np.array_equal(first, second) if is_array(first) else _tensors().equal(first, second)


def exponential(raster: Raster) -> Raster:
    return np.exp(raster) if is_array(raster) else raster.exp()


def repeated(mask: Raster, channels: int) -> Raster:
    """A mask (h, w) as (h, w, channels)."""
    if is_array(mask):
        return cv2.merge([mask] * channels)
    return mask[..., None].expand(-1, -1, channels)


def sampled(
    picture: Raster, sources: Raster, way: int, border: int = cv2.BORDER_CONSTANT
) -> Raster:
    """A picture at places (h, w, 2) as OpenCV counts them; between pixels as ``way`` says, beyond
    the edges as ``border`` does (constant is 0)."""
    if is_array(picture):
        return cv2.remap(picture, sources, None, way, borderMode=border)
    return _tensors().sampled(picture, sources, way, border)


def warped(
    values: Raster,
    matrix: np.ndarray,
    shape: tuple[int, int],
    border: int,
    beyond: float = 0.0,
) -> Raster:
    """Values at places that a matrix (2, 3) gives for the pixels of a raster (h, w), by straight
    lines between pixels."""
    if is_array(values):
        return cv2.warpAffine(
            values,
            matrix,
            shape[::-1],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=border,
            borderValue=(beyond,) * 4,
        )
    return _tensors().warped(values, matrix, shape, border, beyond)


def resized(raster: Raster, size: Sequence[int], way: int = cv2.INTER_LINEAR) -> Raster:
    """Args: size: width and height, as OpenCV has them; way: of OpenCV's."""
    if is_array(raster):
        return cv2.resize(raster, (size[0], size[1]), interpolation=way)
    return _tensors().resized(raster, (size[0], size[1]), way)


def blended(below: Raster, above: Raster, weight: Raster) -> Raster:
    """Pictures of one type mixed: the lower one where the weight (h, w) is 0, the upper one where
    it is 1; of uint8 bit for bit."""
    if is_array(below):
        return np.asarray(cv2.blendLinear(below, above, 1 - weight, weight))
    return _tensors().blended(below, above, weight)


def transformed(values: Raster, matrix: np.ndarray) -> Raster:
    """Values (h, w, c) of each pixel times a matrix (d, c); (h, w) where d is 1."""
    if is_array(values):
        return cv2.transform(values, matrix)
    return _tensors().transformed(values, matrix)


def lengths(vectors: Raster) -> Raster:
    """Of vectors (h, w, 2)."""
    if is_array(vectors):
        return cv2.magnitude(*cv2.split(vectors))
    return vectors.square().sum(-1).sqrt()


def gaussian(values: Raster, sigma: float, size: int = 0) -> Raster:
    """Float32 values averaged over ``sigma`` pixels, or the kernel of OpenCV's of that size."""
    if is_array(values):
        return cv2.GaussianBlur(values, (size, size), sigma)
    return _tensors().gaussian(values, sigma, size)


def filtered(values: Raster, line: np.ndarray) -> Raster:
    """Along both axes with a line (n,) of odd length."""
    if is_array(values):
        return np.asarray(cv2.sepFilter2D(values, -1, line, line))
    return _tensors().filtered(values, line)


def averaged(values: Raster, size: int) -> Raster:
    """Over squares of ``size`` pixels around each."""
    if is_array(values):
        return cv2.blur(values, (size, size))
    return _tensors().averaged(values, size)


def slopes(values: Raster, axis: int) -> Raster:
    """Along an axis, per pixel (Sobel)."""
    if is_array(values):
        return cv2.Sobel(values, cv2.CV_32F, 1 - axis, axis, scale=1 / 8)
    return _tensors().slopes(values, axis)


def difference(first: Raster, second: Raster) -> Raster:
    """Float32, of rasters of one type."""
    if is_array(first):
        return cv2.subtract(first, second, dtype=cv2.CV_32F)
    return first.float() - second.float()


def apart(first: Raster, second: Raster) -> Raster:
    """By how much pictures uint8 differ, float32."""
    if is_array(first):
        return cv2.absdiff(first, second).astype(np.float32)
    return (first.float() - second.float()).abs()


def changed(picture: Raster, change: Raster) -> Raster:
    """A picture uint8 with numbers added, rounded and clipped."""
    if is_array(picture):
        return cv2.add(picture, change, dtype=cv2.CV_8U)
    return _tensors().levels(picture.float() + change)


def scaled_ratio(above: Raster, below: Raster, scale: float) -> Raster:
    """scale · above / below."""
    if is_array(above):
        return cv2.divide(above, below, scale=scale)
    return scale * above / below


def product(first: Raster, second: Raster) -> Raster:
    return cv2.multiply(first, second) if is_array(first) else first * second


def padded(raster: Raster, pads: tuple[int, int, int, int], border: int) -> Raster:
    """Pixels more above, below, left and right."""
    if is_array(raster):
        return cv2.copyMakeBorder(raster, *pads, border)
    return _tensors().padded(raster, pads, border)


def greys(picture: Raster) -> Raster:
    """Brightness (h, w) uint8 of a picture in RGB."""
    if is_array(picture):
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    return _tensors().levels(transformed(picture.float(), np.array([[0.299, 0.587, 0.114]])))


def looked_up(greys: Raster, table: np.ndarray) -> Raster:
    """Colours (h, w, 3) uint8 of a table (256, 3) for levels (h, w)."""
    if is_array(greys):
        return np.asarray(cv2.LUT(cv2.merge([greys] * 3), table[None]))
    return like(table, greys)[greys.long()]


def as_array(picture: Raster, work: Callable[[np.ndarray], np.ndarray]) -> Raster:
    """What is worked on as an array, wherever the picture is."""
    return work(picture) if is_array(picture) else like(work(finished(picture)), picture)


def _tensors() -> Any:
    from . import tensors  # torch takes a second to import

    return tensors
