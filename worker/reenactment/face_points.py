"""A face without its pose as 478 points: vertices in centimetres, and irises in their eyes."""

from __future__ import annotations

import torch
from torch import Tensor

_CORNERS = ((33, 133), (362, 263))
_EYE = 3.0
"""Centimetres between the corners of an eye."""


def face_points(aligned: Tensor, landmarks: Tensor) -> Tensor:
    """(b, 478, 3) cm, y up: vertices (b, 468, 3) of the face without its pose, and where the
    irises of landmarks (b, 478, 3), in pixels, are from the middle of their eyes."""
    first, last = (landmarks[:, list(side)] for side in zip(*_CORNERS, strict=True))
    width = (last - first)[..., :2].norm(dim=-1)[:, :, None, None]
    irises = landmarks[:, 468:].unflatten(1, (2, 5)) - ((first + last) / 2)[:, :, None]
    irises = irises / width * _EYE * irises.new_tensor([1.0, -1.0, 0.0])
    return torch.cat([aligned, irises.flatten(1, 2)], 1)
