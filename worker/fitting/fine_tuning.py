"""The layers beyond 256²: taught to show at 512² and 1024² the person that the small picture shows.

The tuning at 256² (pivotal_tuning.py) has moved what all sizes share. What the larger ones add to
it are two blocks and two heads; they alone move here, so each step is cheap and the small picture
stays as it is. At rest they learn from the photo, in motion from the small picture: preview and
render agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from photorig.worker.generators.network import Network, Stage

from .losses import SMALL, Likeness, Onlookers, Target, likeness, pixel_distance
from .optimizer import Descent

_LIKENESS = Likeness(0.5, 0.0, 4.0)
_REST_STEPS = 2  # steps in which a photo is looked at, for each one with a motion
_SCALES = (1, 2, 4, 8)  # pixels of 256 at which a motion looks as in the small picture


@dataclass(frozen=True)
class View:
    """A photo and its code: latents (1, 16, 512)."""

    latents: Tensor
    target: Target


@dataclass(frozen=True)
class FinishingSettings:
    """What counts how much, beside a pixel distance of weight 1 at each size.

    Attributes:
        rate: of Adam, on the weights.
        agreement: of how differently large and small picture show a motion.
    """

    rate: float = 6e-4
    likeness: Likeness = _LIKENESS
    agreement: float = 1.0


def finish(
    network: Network,
    views: Sequence[View],
    moved: Sequence[Tensor],
    eyes: Onlookers,
    steps: int,
    on_step: Callable[[float], None],
    settings: FinishingSettings | None = None,
) -> None:
    """Moves the weights of ``network`` that only 512² and 1024² use.

    Args:
        views: looked at in turn.
        moved: latents (1, 16, 512) in motions, looked at in turn, every third step.
        on_step: called with the loss after each step; what it raises ends the finishing.
    """
    weights = [v for name, v in network.named_parameters() if network.is_beyond(name, SMALL)]
    if steps == 0 or not weights:
        return
    moved = moved[: steps // (_REST_STEPS + 1)]
    lesson = _Lesson(network, views, moved, eyes, settings or FinishingSettings())
    for name, value in network.named_parameters():
        value.requires_grad_(network.is_beyond(name, SMALL))
    Descent({lesson.settings.rate: weights}).run(steps, lesson.loss, on_step)


@dataclass(frozen=True)
class _Shared:
    """What the small picture has come from, and the picture, (1, 3, 256, 256) in [0, 1]."""

    stage: Stage
    small: Tensor


class _Lesson:
    """The loss of the steps of one finishing."""

    def __init__(
        self,
        network: Network,
        views: Sequence[View],
        moved: Sequence[Tensor],
        eyes: Onlookers,
        settings: FinishingSettings,
    ) -> None:
        self.settings = settings
        self._network, self._eyes = network, eyes
        self._views = [(self._shared(view.latents), view.target) for view in views]
        self._moved = [self._shared(latents) for latents in moved]

    def loss(self, step: int) -> Tensor:
        """One photo or, every few steps, one motion: not both, a picture of 1024² takes long."""
        round_, turn = divmod(step, _REST_STEPS + 1)
        if self._moved and turn == _REST_STEPS:
            return self._in_motion(self._moved[round_ % len(self._moved)])
        seen = round_ * _REST_STEPS + turn if self._moved else step
        return self._at_rest(*self._views[seen % len(self._views)])

    def _at_rest(self, shared: _Shared, target: Target) -> Tensor:
        images = self._larger(shared)
        detail = target.detailed.shape[-1]
        largest = max(images)
        small = F.avg_pool2d(images[largest], largest // SMALL)
        weights = self.settings.likeness
        loss = likeness(small, target.landmarks_px, target, self._eyes, weights)
        for size, image in images.items():
            side = min(size, detail)
            wanted = F.avg_pool2d(target.detailed, detail // side)
            loss = loss + pixel_distance(F.avg_pool2d(image, size // side), wanted, target.weight)
        return loss

    def _in_motion(self, shared: _Shared) -> Tensor:
        distances = [
            F.avg_pool2d(image, size // SMALL * scale)
            .sub(F.avg_pool2d(shared.small, scale))
            .abs()
            .mean()
            for size, image in self._larger(shared).items()
            for scale in _SCALES
        ]
        return self.settings.agreement * torch.stack(distances).sum()

    @torch.no_grad()
    def _shared(self, latents: Tensor) -> _Shared:
        stage = self._network.begun(latents, SMALL)
        return _Shared(stage, self._network.small(stage) * 0.5 + 0.5)

    def _larger(self, shared: _Shared) -> dict[int, Tensor]:
        """(1, 3, s, s) in [0, 1] by size beyond 256²."""
        images = self._network.larger(shared.stage)
        return {size: image * 0.5 + 0.5 for size, image in images.items()}
