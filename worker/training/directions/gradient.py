"""Gradient training of the direction matrix through generator, landmarker and descriptor.

The recipe of 'Finding Directions in GAN's Latent Space' (algorithms.md §5.3): half of each batch
moves one parameter only and must leave all others alone, which is what disentangles the rows; the
other half takes its whole target from another person. The identity must stay that of the source.
Shifts are learned in coordinates whitened by the covariance of w, where a step of the optimiser
means the same in every direction. Only a shift common to all rows is learned on top of the
closed-form start: along W faces stay faces, while rows that learn on their own find shifts that
please landmarker and descriptor and ruin the picture.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from photorig.shared.schema import ARKIT_52

from .observation import FaceObserver, Observation, full_move
from .people import person_latents
from .whitening import Whitening

logger = logging.getLogger(__name__)


MINIMUM_REACH = 0.1
"""Part of a full move below which a parameter is not trained."""


@dataclass(frozen=True)
class GradientSettings:
    """How to train.

    Attributes:
        steps: optimiser steps.
        batch: people in a step.
        pool: training people there are in all.
        learning_rate: at the start, in whitened units; falls to a tenth along a cosine.
        identity, surroundings, shift: weights of the loss terms beside the parameters' own.
        moved: weight of the one parameter that moves, against 1 for each that must not.
    """

    steps: int = 250
    batch: int = 4
    pool: int = 240
    learning_rate: float = 2e-3
    identity: float = 6.0
    surroundings: float = 4.0
    shift: float = 0.02
    moved: float = 6.0


@dataclass(frozen=True)
class SourcePool:
    """What is known of the people that are driven, measured once.

    Attributes:
        latents: (m, 16, 512).
        parameters: (m, n).
        identity: (m, 128).
        surroundings: (m, 3, 16, 16).
    """

    latents: Tensor
    parameters: Tensor
    identity: Tensor
    surroundings: Tensor

    def __len__(self) -> int:
        return len(self.latents)


@torch.no_grad()
def collect_pool(
    observer: FaceObserver, people: range, seed: int, cache: Path, batch: int = 4
) -> SourcePool:
    """Observe the people with a detected face among ``people``; read from ``cache`` if there."""
    name = f"pool-{seed}-{people.start}-{people.stop}-{ARKIT_52.hash[:8]}"
    path = cache / f"{name}.safetensors"
    try:
        return SourcePool(**load_file(path))
    except (FileNotFoundError, SafetensorError, TypeError):
        pass
    parts: list[dict[str, Tensor]] = []
    for start in range(people.start, people.stop, batch):
        indices = range(start, min(start + batch, people.stop))
        latents = torch.stack([person_latents(observer.network, i, seed) for i in indices])
        images = observer.images(latents)
        regions, found = observer.regions(images)
        if not found.any():
            continue
        seen = observer.observe(images[found].clamp(0, 1), regions[found])
        parts.append(
            {
                "latents": latents[found],
                "parameters": seen.parameters,
                "identity": seen.identity,
                "surroundings": seen.surroundings,
            }
        )
    tensors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    cache.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return SourcePool(**tensors)


def train(
    observer: FaceObserver,
    start: Tensor,
    reach: Tensor,
    positions: list[int],
    whitening: Whitening,
    settings: GradientSettings,
    *,
    seed: int,
    cache: Path,
    progress: Callable[[int, dict[str, float]], None] | None = None,
) -> Tensor:
    """Improve a direction matrix; a stopped run goes on from its checkpoint in ``cache``.

    Args:
        start: (k, n_rows, 512) shift per full move.
        reach: (k,) useful part of a full move, 0 to 1: no larger moves are asked for.
        positions: the k parameters in the schema.

    Returns:
        (k, n_rows, 512) shift per full move: the running average over the last steps.
    """
    pool = collect_pool(observer, range(10_000, 10_000 + settings.pool), seed, cache)
    fixed = whitening.whiten(start)
    common = torch.zeros_like(fixed[:, :1]).requires_grad_(True)
    average = common.detach().clone()
    optimiser = torch.optim.Adam([common], lr=settings.learning_rate, betas=(0.9, 0.99))
    checkpoint = _Checkpoint(cache / f"gradient-{seed}.safetensors")
    first = checkpoint.restore(common, average, optimiser)
    for step in range(first, settings.steps):
        # A generator of its own for every step, so that a continued run draws the same batches.
        random = torch.Generator().manual_seed((seed << 32) + step)
        fraction = step / settings.steps
        for group in optimiser.param_groups:
            cosine = 0.55 + 0.45 * math.cos(math.pi * fraction)
            group["lr"] = settings.learning_rate * cosine * min(1.0, (step + 1) / 20)
        batch = _draw(pool, reach, positions, settings, random)
        loss, terms = _loss(observer, whitening, fixed + common, batch, settings)
        if loss is None:
            continue
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([common], 1.0)
        optimiser.step()
        average.lerp_(common.detach(), max(0.02, 1 / (step + 1)))
        if progress:
            progress(step, terms)
        if (step + 1) % 25 == 0:
            checkpoint.save(step + 1, common, average, optimiser)
    return whitening.shift(fixed + average)


@dataclass(frozen=True)
class _Batch:
    latents: Tensor
    moves: Tensor  # (b, k) in full moves
    target: Tensor  # (b, n) parameters wanted
    weights: Tensor  # (b, k) of the parameter errors
    identity: Tensor
    surroundings: Tensor
    positions: list[int]


def _draw(
    pool: SourcePool,
    reach: Tensor,
    positions: list[int],
    settings: GradientSettings,
    random: torch.Generator,
) -> _Batch:
    b, k = settings.batch, len(positions)
    source = torch.randint(len(pool), (b,), generator=random)
    other = torch.randint(len(pool), (b,), generator=random)
    full = full_move()[positions]
    have = pool.parameters[source][:, positions] / full
    whole = pool.parameters[other][:, positions] / full - have
    # Rows that reach nearly nothing are very long for their unit: they stay out of it.
    active = reach >= MINIMUM_REACH
    whole = torch.where(active, whole.clamp(-reach, reach), 0.0)
    amount = torch.rand(b, generator=random)
    sign = torch.where(torch.rand(b, generator=random) < 0.5, -1.0, 1.0)
    chosen = active.nonzero()[:, 0]
    chosen = chosen[torch.randint(len(chosen), (b,), generator=random)]
    row = torch.arange(b)
    is_angle = full[chosen] != 1
    upper = torch.where(
        is_angle, reach[chosen], torch.minimum(reach[chosen], 1 - have[row, chosen])
    )
    single = torch.zeros(b, k)
    single[row, chosen] = torch.where(is_angle, sign, 1.0) * (0.2 + 0.8 * amount) * upper
    one_only = (row < b // 2)[:, None]
    moves = torch.where(one_only, single, whole)
    weights = torch.ones(b, k)
    weights[row, chosen] = torch.where(one_only[:, 0], settings.moved, 1.0)
    target = pool.parameters[source].clone()
    target[:, positions] = target[:, positions] + moves * full
    return _Batch(
        pool.latents[source],
        moves,
        target,
        weights,
        pool.identity[source],
        pool.surroundings[source],
        positions,
    )


def _loss(
    observer: FaceObserver,
    whitening: Whitening,
    whitened: Tensor,
    batch: _Batch,
    settings: GradientSettings,
) -> tuple[Tensor | None, dict[str, float]]:
    moved = torch.einsum("bk,krd->brd", batch.moves, whitened)
    n_rows = whitened.shape[1]
    latents = torch.cat(
        [batch.latents[:, :n_rows] + whitening.shift(moved), batch.latents[:, n_rows:]], 1
    )
    images = observer.images(latents)
    regions, found = observer.regions(images)
    if not found.any():
        return None, {}
    seen: Observation = observer.observe(images[found], regions[found])
    full = full_move()[batch.positions]
    error = (seen.parameters - batch.target[found])[:, batch.positions] / full
    # Angles count more: a full move of them is seen far better than one of most coefficients.
    error = error * torch.where(full != 1, 3.0, 1.0)
    weights = batch.weights[found]
    parameters = (
        (
            weights
            * functional.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=0.1)
        )
        .sum(1)
        .mean()
    )
    identity = (1 - (seen.identity * batch.identity[found]).sum(1)).mean()
    surroundings = (seen.surroundings - batch.surroundings[found]).abs().mean()
    size = moved.square().sum(-1).mean()
    loss = (
        parameters
        + settings.identity * identity
        + settings.surroundings * surroundings
        + settings.shift * size
    )
    terms = {
        "loss": float(loss),
        "parameters": float(parameters),
        "identity": float(identity),
        "surroundings": float(surroundings),
        "shift": float(size),
    }
    return loss, terms


class _Checkpoint:
    """Everything a run needs to go on, in one safetensors file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def restore(self, common: Tensor, average: Tensor, optimiser: torch.optim.Adam) -> int:
        """Put the saved state in place; the step to go on with, 0 without a checkpoint."""
        try:
            saved = load_file(self.path)
        except (FileNotFoundError, SafetensorError):
            return 0
        if saved["common"].shape != common.shape:
            return 0
        with torch.no_grad():
            common.copy_(saved["common"])
        average.copy_(saved["average"])
        optimiser.state[common] = {
            "step": saved["adam_step"],
            "exp_avg": saved["exp_avg"],
            "exp_avg_sq": saved["exp_avg_sq"],
        }
        return int(saved["step"])

    def save(self, step: int, common: Tensor, average: Tensor, optimiser: torch.optim.Adam) -> None:
        state = optimiser.state[common]
        tensors = {
            "step": torch.tensor(step),
            "common": common.detach(),
            "average": average,
            "adam_step": state["step"],
            "exp_avg": state["exp_avg"],
            "exp_avg_sq": state["exp_avg_sq"],
        }
        partial = self.path.with_suffix(".part")
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, partial)
        partial.replace(self.path)
