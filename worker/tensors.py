"""Pictures on a torch device: the way there and back, and OpenCV's operations in torch.

Called by rasters.py, which says what each does. Weights of resizing and blurring are asked of
OpenCV itself, so that both agree wherever pixels lie.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_MODES = {cv2.INTER_LINEAR: "bilinear", cv2.INTER_CUBIC: "bicubic"}
_BORDERS = {
    cv2.BORDER_CONSTANT: "zeros",
    cv2.BORDER_REPLICATE: "border",
    cv2.BORDER_REFLECT_101: "reflection",
}
_BLEND_EPSILON = 1e-5  # of cv2.blendLinear


def fetched(images: Tensor) -> np.ndarray:
    """A tensor of a device as an array; from CUDA through memory that the device can write to."""
    if images.device.type != "cuda":
        return images.cpu().numpy()
    target = torch.empty(images.shape, dtype=images.dtype, pin_memory=True)
    target.copy_(images, non_blocking=True)
    torch.cuda.current_stream(images.device).synchronize()
    return target.numpy()


def sent(values: np.ndarray, device: torch.device) -> Tensor:
    """An array on a device; to CUDA from memory that the device reads by itself while the
    processor goes on."""
    values = np.ascontiguousarray(values)
    tensor = torch.from_numpy(values if values.flags.writeable else values.copy())
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def levels(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)


def equal(first: Tensor, second: Tensor) -> bool:
    return torch.equal(first, second)


def sampled(picture: Tensor, sources: Tensor, way: int, border: int) -> Tensor:
    height, width = picture.shape[:2]
    last = sources.new_tensor([max(width - 1, 1), max(height - 1, 1)])
    grid = (sources * (2 / last) - 1)[None]
    found = functional.grid_sample(
        _planes(picture), grid, _MODES[way], _BORDERS[border], align_corners=True
    )
    return _pixels(found, picture)


def warped(
    values: Tensor, matrix: np.ndarray, shape: tuple[int, int], border: int, beyond: float
) -> Tensor:
    x = torch.arange(shape[1], device=values.device, dtype=torch.float32)
    y = torch.arange(shape[0], device=values.device, dtype=torch.float32)[:, None]
    rows = [row[0] * x + row[1] * y + row[2] for row in np.asarray(matrix, np.float64).tolist()]
    moved = values.float() - beyond if border == cv2.BORDER_CONSTANT else values.float()
    found = sampled(moved, torch.stack(rows, -1), cv2.INTER_LINEAR, border)
    found = found + beyond if border == cv2.BORDER_CONSTANT else found
    return levels(found) if values.dtype == torch.uint8 else found


def resized(raster: Tensor, size: tuple[int, int], way: int) -> Tensor:
    across = _resizing(raster.shape[1], size[0], way, raster.device)
    down = _resizing(raster.shape[0], size[1], way, raster.device)
    return _pixels(down @ _planes(raster) @ across.T, raster)


def blended(below: Tensor, above: Tensor, weight: Tensor) -> Tensor:
    weight = weight[..., None] if below.ndim == 3 else weight
    mixed = (below * (1 - weight) + above * weight) / (1 + _BLEND_EPSILON)
    return levels(mixed) if below.dtype == torch.uint8 else mixed


def transformed(values: Tensor, matrix: np.ndarray) -> Tensor:
    result = values @ sent(matrix.astype(np.float32), values.device).T
    return result[..., 0] if matrix.shape[0] == 1 else result


def gaussian(values: Tensor, sigma: float, size: int) -> Tensor:
    size = size or round(sigma * 8 + 1) | 1
    line = sent(cv2.getGaussianKernel(size, sigma, cv2.CV_32F)[:, 0], values.device)
    return _along_both(values, line)


def filtered(values: Tensor, line: np.ndarray) -> Tensor:
    return _along_both(values, sent(line, values.device))


def averaged(values: Tensor, size: int) -> Tensor:
    before, after = size // 2, size - 1 - size // 2
    wide = padded(values, (before, after, before, after), cv2.BORDER_REFLECT_101)
    return _pixels(functional.avg_pool2d(_planes(wide), size, stride=1), values)


def slopes(values: Tensor, axis: int) -> Tensor:
    smooth, slope = ([1.0, 2.0, 1.0], [-1.0, 0.0, 1.0])
    across, down = (smooth, slope) if axis else (slope, smooth)
    return _along_both(values, values.new_tensor(across), values.new_tensor(down)) / 8


def padded(raster: Tensor, pads: tuple[int, int, int, int], border: int) -> Tensor:
    above, below, left, right = pads
    height, width = raster.shape[:2]
    rows = _beyond(height, above, below, border, raster.device)
    columns = _beyond(width, left, right, border, raster.device)
    return raster.index_select(0, rows).index_select(1, columns)


def _planes(raster: Tensor) -> Tensor:
    """(h, w) or (h, w, c) → (1, c, h, w) float32."""
    raster = raster if raster.ndim == 3 else raster[..., None]
    return raster.permute(2, 0, 1)[None].float()


def _pixels(planes: Tensor, of: Tensor) -> Tensor:
    """(1, c, h, w) → the form and type of a raster, rounded where that is of levels."""
    values = planes[0].permute(1, 2, 0)
    values = values if of.ndim == 3 else values[..., 0]
    return levels(values) if of.dtype == torch.uint8 else values.contiguous()


def _along_both(values: Tensor, across: Tensor, down: Tensor | None = None) -> Tensor:
    """Each channel with a line of odd length along x and one along y."""
    down = across if down is None else down
    aside, above = len(across) // 2, len(down) // 2
    planes = _planes(padded(values, (above, above, aside, aside), cv2.BORDER_REFLECT_101))
    planes = functional.conv2d(planes.transpose(0, 1), across[None, None, None])
    planes = functional.conv2d(planes, down[None, None, :, None])
    return _pixels(planes.transpose(0, 1), values)


@functools.lru_cache(maxsize=64)
def _resizing(before: int, after: int, way: int, device: torch.device) -> Tensor:
    """(after, before): how much of each pixel of a line is in each of another one's."""
    single = np.eye(before, dtype=np.float32)
    return sent(cv2.resize(single, (before, after), interpolation=way), device)


@functools.lru_cache(maxsize=64)
def _beyond(length: int, before: int, after: int, border: int, device: torch.device) -> Tensor:
    """(before + length + after,) pixels of a line that are seen beyond its ends."""
    places = [
        cv2.borderInterpolate(place, length, border) for place in range(-before, length + after)
    ]
    return sent(np.array(places), device)
