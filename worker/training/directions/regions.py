"""Which part of the picture each parameter may change; everything else has to stay as it is.

This is what keeps an expression an expression. Landmarks and identity descriptor are networks that
a shift can please while it ages the person, redraws the hair or moves the background; pixels
outside the lids cannot be pleased by anything but a blink that changes the lids alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from photorig.shared.parameters.schema import ParameterSchema


@dataclass(frozen=True)
class Part:
    """An ellipse on the face.

    Attributes:
        landmarks: of MediaPipe's 478; their mean is the centre.
        width, height: half axes, in distances between the eyes' outer corners.
    """

    landmarks: tuple[int, ...]
    width: float
    height: float


OUTER_CORNERS = (33, 263)
RIGHT_EYE, LEFT_EYE = Part((33, 133), 0.38, 0.30), Part((263, 362), 0.38, 0.30)
RIGHT_BROW, LEFT_BROW = Part((105,), 0.50, 0.40), Part((334,), 0.50, 0.40)
FOREHEAD = Part((9,), 0.60, 0.45)
MOUTH, CHIN = Part((13, 14), 0.75, 0.62), Part((152, 17), 0.70, 0.50)
JAW = Part((152,), 0.95, 0.60)
FEATHER = 0.3
"""Width of the edge, in half axes, over which the weight rises from 0 inside to 1 outside."""


def parts_of(name: str) -> tuple[Part, ...]:
    """Parts that the parameter ``name`` may change; none for head angles, which change all."""
    own_eye = LEFT_EYE if name.endswith("Left") else RIGHT_EYE
    own_brow = LEFT_BROW if name.endswith("Left") else RIGHT_BROW
    if name.startswith("head"):
        return ()
    if name == "browInnerUp":
        return (LEFT_BROW, RIGHT_BROW, FOREHEAD)
    if name.startswith("brow"):
        return (own_brow, own_eye, FOREHEAD)
    if name.startswith("eye"):
        return (own_eye,)
    if name.startswith("mouthSmile"):
        return (MOUTH, CHIN, LEFT_EYE, RIGHT_EYE)
    if name.startswith("jaw"):
        return (MOUTH, CHIN, JAW)
    return (MOUTH, CHIN)


def kept_pixels(
    landmarks_px: Tensor, moved: Tensor, schema: ParameterSchema, positions: list[int], size: int
) -> Tensor:
    """(b, 1, size, size) in [0, 1]: 1 where the moved parameters must not change the picture.

    Args:
        landmarks_px: (b, 478, 3) of the people before they are driven.
        moved: (b, k) bool, which of ``positions`` move. Where a head angle does, nothing is kept.
    """
    centres = torch.arange(size) + 0.5
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    kept = torch.ones(len(landmarks_px), 1, size, size)
    for face in range(len(kept)):
        outer = landmarks_px[face, list(OUTER_CORNERS), :2]
        unit = float((outer[0] - outer[1]).norm())
        names = [schema.ids[positions[i]] for i in moved[face].nonzero()[:, 0].tolist()]
        if any(name.startswith("head") for name in names):
            kept[face] = 0
        for part in {part for name in names for part in parts_of(name)}:
            centre = landmarks_px[face, list(part.landmarks), :2].mean(0)
            across = (x - centre[0]) / (part.width * unit)
            down = (y - centre[1]) / (part.height * unit)
            outside = ((torch.hypot(across, down) - 1) / FEATHER).clamp(0, 1)
            kept[face, 0] = torch.minimum(kept[face, 0], outside)
    return kept
