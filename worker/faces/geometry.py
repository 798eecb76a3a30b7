"""Geometry of faces in images: crops, similarity transforms, angles, MediaPipe's metric face.

Pixel coordinates are continuous: pixel i covers [i, i + 1). A *region* is a rotated square
``(center x, center y, side, angle)`` in pixels and radians; a positive angle turns the square's
x axis towards image down. Everything here is differentiable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from photorig.shared.parameters.head import FIELD_OF_VIEW

_DEGREES = 180 / math.pi


def crop(images: Tensor, regions: Tensor, size: int, padding: str = "border") -> Tensor:
    """Cut rotated squares out of images, bilinear without prefilter, as MediaPipe does.

    Args:
        images: (b, c, h, w) or (1, c, h, w) for several regions of one image.
        regions: (b, 4).
        size: side of the result in pixels.
        padding: ``border``, ``zeros`` or ``reflection`` outside the image.

    Returns:
        (b, c, size, size).
    """
    height, width = images.shape[-2:]
    step = (torch.arange(size, dtype=images.dtype, device=images.device) + 0.5) / size - 0.5
    v, u = torch.meshgrid(step, step, indexing="ij")
    points = torch.stack([u, v], -1).view(1, -1, 2).expand(len(regions), -1, -1)
    grid = from_region(points, regions).view(-1, size, size, 2)
    grid = grid * images.new_tensor([2 / width, 2 / height]) - 1
    if len(images) != len(regions):
        images = images.expand(len(regions), -1, -1, -1)
    return F.grid_sample(images, grid, "bilinear", padding, align_corners=False)


def from_region(points: Tensor, regions: Tensor) -> Tensor:
    """(b, n, 2) points in units of the region's side, 0 at its centre, to image pixels."""
    x_axis = regions[:, 2:3] * torch.stack([regions[:, 3].cos(), regions[:, 3].sin()], -1)
    y_axis = torch.stack([-x_axis[:, 1], x_axis[:, 0]], -1)
    return regions[:, None, :2] + points @ torch.stack([x_axis, y_axis], 1)


def landmarks_to_image(landmarks: Tensor, regions: Tensor) -> Tensor:
    """(b, n, 3) landmarks in [0, 1] of the crop to image pixels; z in the same unit."""
    xy = from_region(landmarks[..., :2] - 0.5, regions)
    return torch.cat([xy, landmarks[..., 2:] * regions[:, None, 2:3]], -1)


def nearest_rotation(matrix: Tensor) -> Tensor:
    """The rotation R that maximises trace(Rᵀ M) (orthogonal Procrustes, Schönemann 1966).

    The value comes from an SVD, the derivative from dR = R [ω]ₓ with
    (tr(P) I − P) ω = axial(Rᵀ dM) and P = Rᵀ M: unlike the SVD's own it does not blow up when
    singular values come close.

    Args:
        matrix: (b, 3, 3).
    """
    with torch.no_grad():
        u, _, vt = torch.linalg.svd(matrix)
        flip = torch.det(u @ vt).sign()
        rotation = torch.cat([u[..., :2], u[..., 2:] * flip[:, None, None]], -1) @ vt
        stretch = rotation.mT @ matrix
        trace = stretch.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None]
        solve = torch.linalg.inv(trace * torch.eye(3).to(matrix) - (stretch + stretch.mT) / 2)
    if not (torch.is_grad_enabled() and matrix.requires_grad):
        return rotation
    product = rotation.mT @ matrix
    skew = product - product.mT  # 0 in value, carries the derivative
    axial = torch.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], -1)
    omega = (solve @ axial[..., None])[..., 0]
    zero = torch.zeros_like(omega[:, 0])
    x, y, z = omega.unbind(-1)
    turn = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).view(-1, 3, 3)
    return rotation + rotation @ turn


def _centred(points: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Points minus their weighted mean (weights sum to 1), and that mean."""
    mean = (weights[:, None] * points).sum(-2, keepdim=True)
    return points - mean, mean[..., 0, :]


def _scale(source: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """(b,) scale of the best similarity transform. R is at its optimum, so it can stay constant."""
    source, target = _centred(source, weights)[0], _centred(target, weights)[0]
    with torch.no_grad():
        rotation = nearest_rotation((weights[:, None] * target).mT @ source)
    rotated = source @ rotation.mT
    return (weights[:, None] * rotated * target).sum((-1, -2)) / _moment(source, weights)


def _moment(centred: Tensor, weights: Tensor) -> Tensor:
    return (weights[:, None] * centred * centred).sum((-1, -2))


def similarity(source: Tensor, target: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted similarity transform: target ≈ scale · R · source + translation (Umeyama 1991).

    Args:
        source: (n, 3) or (b, n, 3).
        target: (b, n, 3).
        weights: (n,), at least 0 with a positive sum.

    Returns:
        scale (b,), rotation (b, 3, 3), translation (b, 3).
    """
    weights = weights / weights.sum()
    source, source_mean = _centred(source, weights)
    centred, target_mean = _centred(target, weights)
    rotation = nearest_rotation((weights[:, None] * centred).mT @ source)
    rotated = source @ rotation.mT
    scale = (weights[:, None] * rotated * centred).sum((-1, -2)) / _moment(source, weights)
    mean = source_mean.expand_as(target_mean)
    translation = target_mean - scale[:, None] * (rotation @ mean[..., None])[..., 0]
    return scale, rotation, translation


def head_angles(rotation: Tensor) -> Tensor:
    """(b, 3, 3) rotation, y up and z towards the camera, to (b, 3) yaw, pitch, roll in degrees.

    yaw > 0 nose to image right, pitch > 0 nose up, roll > 0 counter-clockwise in the image; the
    rotation is yaw about the upright axis after pitch after roll.
    """
    yaw = torch.atan2(rotation[:, 0, 2], rotation[:, 2, 2])
    level = (rotation[:, 1, 0] ** 2 + rotation[:, 1, 1] ** 2).clamp_min(1e-12).sqrt()
    pitch = torch.atan2(rotation[:, 1, 2], level)
    roll = torch.atan2(rotation[:, 1, 0], rotation[:, 1, 1])
    return torch.stack([yaw, pitch, roll], -1) * _DEGREES


@dataclass(frozen=True)
class MetricFace:
    """Where the canonical face stands in front of the camera.

    Attributes:
        transform: (b, 4, 4) canonical face (cm) to camera space: MediaPipe's facial
            transformation matrix, scale included.
        rotation: (b, 3, 3) its rotation.
        aligned: (b, n, 3) the measured face brought back into canonical pose and scale (cm).
    """

    transform: Tensor
    rotation: Tensor
    aligned: Tensor


def metric_face(
    landmarks: Tensor, size: tuple[int, int], canonical: Tensor, weights: Tensor
) -> MetricFace:
    """Perspective pose as MediaPipe's face_geometry module computes it (geometry_pipeline.cc).

    Args:
        landmarks: (b, n, 3) in image pixels, z in the same unit.
        size: height and width of the whole image: the camera's axis goes through its centre.
        canonical: (n, 3) canonical face in cm.
        weights: (n,) Procrustes weights.
    """
    height, width = size
    weights = weights / weights.sum()
    unit = 2 * math.tan(math.radians(FIELD_OF_VIEW) / 2) / height  # pixel at distance 1
    flip = landmarks.new_tensor([1.0, 1.0, -1.0])
    centre = landmarks.new_tensor([width / 2, height / 2])
    xy = (landmarks[..., :2] - centre) * unit * landmarks.new_tensor([1.0, -1.0])
    z = landmarks[..., 2:] * unit

    def in_space(scale: Tensor) -> Tensor:
        depth = (z - z.mean(-2, keepdim=True) + 1) / scale[:, None, None]
        return torch.cat([xy * depth, depth], -1) * flip

    first = _scale(canonical, torch.cat([xy, z], -1) * flip, weights)
    second = _scale(canonical, in_space(first), weights)
    points = in_space(first * second)
    scale, rotation, translation = similarity(canonical, points, weights)
    linear = torch.cat([scale[:, None, None] * rotation, translation[..., None]], -1)
    last = landmarks.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(landmarks), 1, 4)
    aligned = (points - translation[:, None]) @ rotation / scale[:, None, None]
    return MetricFace(torch.cat([linear, last], 1), rotation, aligned)


_ALIGNED_RADIUS = 0.1834
"""Weighted root mean square of a face's distance from its mean, in aligned pictures' heights."""

_ALIGNED_DROP = 0.0876
"""How far that mean lies below the picture's middle there. Both from 40 generated faces."""


def facing_angles(landmarks: Tensor, canonical: Tensor, weights: Tensor) -> Tensor:
    """A head's angles wherever in the picture, and however large, its face is.

    A camera sees a face at the picture's side from its own side, and in perspective that looks like
    a turn, of up to 10° at the sides of 16:9. So the face is looked at with the camera turned to
    it: as an aligned picture shows it, which is what everything else is measured and trained on.

    Args:
        landmarks: (b, n, 3) in image pixels, z in the same unit.
        canonical: (n, 3) canonical face in cm.
        weights: (n,) Procrustes weights.

    Returns:
        (b, 3) as ``head_angles``.
    """
    weights = weights / weights.sum()
    centred, _ = _centred(landmarks, weights)
    radius = _moment(centred[..., :2], weights).clamp_min(1e-12).sqrt()
    middle = landmarks.new_tensor([0.5, 0.5 + _ALIGNED_DROP, 0.0])
    placed = centred * (_ALIGNED_RADIUS / radius)[:, None, None] + middle
    return head_angles(metric_face(placed, (1, 1), canonical, weights).rotation)
