"""The layers beyond 256²: taught to show at 512² and 1024² the person that the small picture shows.

The tuning at 256² (pivotal_tuning.py) has moved what all sizes share. What the larger ones add to
it alone moves here, so each step is cheap and the small picture stays as it is. At rest they learn
from the photo, in motion from the small picture: preview and render agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from photorig.worker.generators.network import Network, Stage

from .losses import SMALL, FitLosses, View
from .models import FitRun
from .optimizer import Adam

_REST_STEPS = 2  # steps in which a photo is looked at, for each one with a motion
_SCALES = (1, 2, 4, 8)  # pixels of 256 at which a motion looks as in the small picture


def fine_tune(
    network: Network, views: Sequence[View], moved: Sequence[Tensor], run: FitRun
) -> None:
    """Moves the weights of ``network`` that only larger pictures use.

    Args:
        views: looked at in turn.
        moved: latents (1, n_rows, w_dim) in motions, looked at in turn, every third step.
    """
    settings, steps = run.settings.tuning, run.settings.refine_steps
    weights = [v for name, v in network.named_parameters() if network.is_beyond(name, SMALL)]
    if steps == 0 or not weights:
        return
    with torch.no_grad():
        photos = [(network.begun(view.latents, SMALL), view.losses) for view in views]
        motions = [_begun(network, one) for one in moved[: steps // (_REST_STEPS + 1)]]

    def loss_of(step: int) -> Tensor:
        """One photo or, every few steps, one motion: not both, a large picture takes long."""
        round_, turn = divmod(step, _REST_STEPS + 1)
        if motions and turn == _REST_STEPS:
            return in_motion(*motions[round_ % len(motions)])
        seen = round_ * _REST_STEPS + turn if motions else step
        return at_rest(*photos[seen % len(photos)])

    def at_rest(stage: Stage, losses: FitLosses) -> Tensor:
        images = _larger(network, stage)
        whole = images[max(images)]
        small = F.avg_pool2d(whole, whole.shape[-1] // SMALL)
        loss = losses.identity(small, settings.fine_identity)
        for image in images.values():
            loss = loss + losses.detail(image)
        return loss

    def in_motion(stage: Stage, wanted: Tensor) -> Tensor:
        distances = [
            F.avg_pool2d(image, size // SMALL * scale).sub(F.avg_pool2d(wanted, scale)).abs().mean()
            for size, image in _larger(network, stage).items()
            for scale in _SCALES
        ]
        return settings.agreement * torch.stack(distances).sum()

    for value in network.parameters():
        value.requires_grad_(False)
    for value in weights:
        value.requires_grad_(True)
    Adam({settings.fine_learning_rate: weights}).run(steps, loss_of, run.on_step)


def _begun(network: Network, latents: Tensor) -> tuple[Stage, Tensor]:
    """With the small picture, (1, 3, 256, 256) in [0, 1]."""
    stage = network.begun(latents, SMALL)
    return stage, network.small(stage) * 0.5 + 0.5


def _larger(network: Network, stage: Stage) -> dict[int, Tensor]:
    return {size: image * 0.5 + 0.5 for size, image in network.larger(stage).items()}
