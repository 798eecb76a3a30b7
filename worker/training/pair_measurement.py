"""What a method is worth on people that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .performances import FRAMES, Observers, Performances, rendered
from .reenactment_loss import ANGLES

Drive = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]
"""Frames of sources (b,) and drivers (b,) to latents (b, n_rows, w_dim) and, where it gives some,
offsets in StyleSpace (b, n)."""


@torch.no_grad()
def measured(observers: Observers, people: Performances, drive: Drive) -> str:
    """One line: error of pose, of coefficients and identity, beside the photo left as it is.

    Every person at rest is driven by each frame of the person after.
    """
    source = torch.arange(0, len(people), FRAMES).repeat_interleave(FRAMES)
    driver = (torch.arange(len(people)) + FRAMES) % len(people)
    usable = people.found[source] & people.found[driver]
    source, driver = source[usable], driver[usable]
    kept, moved = _errors(people.parameters[source], people.parameters[driver]), []
    for rows in torch.arange(len(source)).split(8):
        images = rendered(observers.network, *drive(source[rows], driver[rows])).clamp(0, 1)
        regions, _ = observers.landmarker.detect_regions(images)
        seen = observers.landmarker.measure(images, regions)
        identity = observers.recognition(images, seen.landmarks_px)
        likeness = (identity * people.identity[source[rows]]).sum(1)
        errors = _errors(seen.parameters, people.parameters[driver[rows]])
        moved.append(torch.cat([errors, likeness[:, None]], 1))
    angle, expression, likeness = torch.cat(moved).mean(0).tolist()
    before = kept.mean(0).tolist()
    return (
        f"{len(source)} pairs of held-out people: pose {angle:.2f}° (photo as it is "
        f"{before[0]:.2f}°), coefficients {expression:.4f} ({before[1]:.4f}), "
        f"identity (SFace) {likeness:.3f}"
    )


def _errors(parameters: Tensor, wanted: Tensor) -> Tensor:
    """(b, 2) mean error of yaw and pitch in degrees, and of the coefficients."""
    apart = (parameters - wanted).abs()
    return torch.stack([apart[:, ANGLES].mean(1), apart[:, 3:55].mean(1)], 1)
