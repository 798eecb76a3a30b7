"""Inversion: the code of W+ whose image looks like the photo, and that can still be driven.

Optimisation of the code (Abdal et al. 2019, Image2StyleGAN) from a first guess, in the space before
the mapping network's last non-linearity, where w is nearly normal, and in coordinates in which that
normal distribution is the same in all directions (Zhu et al. 2020, "Improved StyleGAN Embedding:
Where are the Good Latents?"). A step goes as far as faces differ there, so few of them are needed.
What keeps the code where faces can be driven matters as much as the likeness: it is pulled to that
distribution, and its rows to one another (Tov et al. 2021, "Designing an Encoder for StyleGAN Image
Manipulation").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from photorig.worker.generators.network import Network
from photorig.worker.generators.tuned_networks import tunable

from .edit_preservation import Edit
from .losses import View, picture
from .models import FitRun
from .optimizer import Adam


def invert(
    start: View, run: FitRun, edits: Sequence[Edit] = (), moving: Network | None = None
) -> View:
    """The photo with the code that shows it, from one with a first guess.

    Args:
        edits: in which the face has to stay the same person's, or the code cannot be driven.
        moving: a copy of the network whose weights follow the same loss; they are changed.
    """
    settings, losses = run.settings.inversion, start.losses
    distribution, network = run.models.distribution, moving or run.models.network
    if run.settings.steps == 0:
        return start
    coordinates = distribution.coordinates(start.latents)
    shared = coordinates.mean(1, keepdim=True).clone().requires_grad_(True)
    offsets = (coordinates - shared.detach()).clone().requires_grad_(True)

    def loss_of(step: int) -> Tensor:
        latents = distribution.latents(shared + offsets)
        image = picture(network, latents)
        loss = losses.at_rest(image, settings.identity)
        loss = loss + settings.distribution * (shared + offsets).square().mean()
        loss = loss + settings.drift * offsets.square().mean()
        if settings.landmarks and step % settings.landmark_interval == 0:
            loss = loss + settings.landmarks * losses.landmarks(image)
        interval = settings.motion_interval
        if edits and step % interval == interval - 1:
            edit = edits[step // interval % len(edits)]
            loss = loss + moved_identity(edit.applied(latents))
        return loss

    def moved_identity(latents: Tensor) -> Tensor:
        image = picture(network, latents)
        with torch.no_grad():
            landmarks = losses.seen(image)
        return losses.identity(image, settings.moved_identity, landmarks)

    rates = {settings.learning_rate: [shared], settings.offset_learning_rate: [offsets]}
    weights = {run.settings.learning_rate_with_code: tunable(moving)} if moving else {}
    Adam({**rates, **weights}, settings.beta).run(run.settings.steps, loss_of, run.on_step)
    return View(distribution.latents(shared + offsets).detach(), losses)
