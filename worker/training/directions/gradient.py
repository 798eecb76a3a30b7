"""Gradient training of the direction matrix through generator, landmarker and descriptor.

The recipe of 'Finding Directions in GAN's Latent Space' (algorithms.md §5.3) with one term that the
paper does not have. As there, about half of each batch moves one parameter only (or it and its
mirror partner) and must leave all others alone, which is what disentangles the rows; the others
move eyes, brows and mouth at once, or the head. The identity must stay that of the source. New is
that an expression must leave the pixels outside its part of the face as they are (regions.py): only
with that can every row of W+ learn its own shift without finding pictures that please the networks
and no person. Shifts are learned in coordinates whitened by the covariance of w, where a step means
the same in every direction, and pay for their length in standard deviations.
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

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.generators.people import person_latents

from .motion import MotionScale, full_move
from .observation import IMAGE_SIZE, FaceObserver, Observation
from .regions import kept_pixels
from .whitening import Whitening

logger = logging.getLogger(__name__)

_ROLL = FACE_SCHEMA.index["headRoll"]


@dataclass(frozen=True)
class GradientSettings:
    """How to train.

    Attributes:
        steps: optimiser steps.
        batch: people in a step.
        pool: training people there are in all.
        learning_rate: at the start, in standard deviations of w; falls to a tenth along a cosine.
        moved: weight of a parameter that moves.
        others, others_of_angle: weight of each that must not, while an expression or the head
            moves; to the estimator a turned head is always another expression as well.
        partner: how many times as much the other side of a pair counts that must not move.
        lean: weight of each degree of headRoll, which no row is meant to cause.
        both_sides: how often a parameter with a mirror partner moves together with it.
        identity, look, age, gender: weights of who the person is, by two networks: 1 − cosine,
            1 − cosine, decades, and what the second takes the sex for, 0 to 1.
        identity_of_angle: part of the first that counts while the head turns.
        pixels, surroundings: weights of the other pixels, see regions.py, and the background.
        shift: weight of the squared length of the shift, per row, in standard deviations.
        row_tie: weight of the squared distance of the rows' shifts from their mean.
    """

    steps: int = 2400
    batch: int = 4
    pool: int = 400
    learning_rate: float = 0.006
    moved: float = 8.0
    others: float = 2.0
    others_of_angle: float = 0.5
    partner: float = 3.0
    lean: float = 0.1
    both_sides: float = 0.35
    identity: float = 3.0
    identity_of_angle: float = 0.3
    look: float = 8.0
    age: float = 1.0
    gender: float = 1.5
    pixels: float = 60.0
    surroundings: float = 4.0
    shift: float = 0.25
    row_tie: float = 0.1


@dataclass(frozen=True)
class SourcePool:
    """What is known of the people that are driven, measured once.

    Attributes:
        latents: (m, n_rows, w_dim).
        images: (m, 3, 256, 256) uint8.
        regions: (m, 4) crops of the landmarker.
        parameters: (m, n).
        identity: (m, 128).
        look: (m, 1024).
        age, gender: (m,).
        surroundings: (m, 3, 16, 16).
        landmarks_px: (m, 478, 3).
    """

    latents: Tensor
    images: Tensor
    regions: Tensor
    parameters: Tensor
    identity: Tensor
    look: Tensor
    age: Tensor
    gender: Tensor
    surroundings: Tensor
    landmarks_px: Tensor

    def __len__(self) -> int:
        return len(self.latents)


@torch.no_grad()
def collect_pool(
    observer: FaceObserver, people: range, seed: int, cache: Path, batch: int = 4
) -> SourcePool:
    """Observe the people with a detected face among ``people``; read from ``cache`` if there."""
    path = cache / f"sources-{seed}-{people.start}-{people.stop}.safetensors"
    try:
        return SourcePool(**load_file(path))
    except (FileNotFoundError, SafetensorError, TypeError):
        pass
    parts: list[dict[str, Tensor]] = []
    for start in range(people.start, people.stop, batch):
        indices = range(start, min(start + batch, people.stop))
        latents = torch.stack([person_latents(observer.network, i, seed) for i in indices])
        images = observer.images(latents).clamp(0, 1)
        regions, found = observer.regions(images)
        if not found.any():
            continue
        seen = observer.observe(images[found], regions[found])
        parts.append(
            {
                "latents": latents[found],
                "images": (images[found] * 255).round().to(torch.uint8),
                "regions": regions[found],
                "parameters": seen.parameters,
                "identity": seen.identity,
                "look": seen.look,
                "age": seen.age,
                "gender": seen.gender,
                "surroundings": seen.surroundings,
                "landmarks_px": seen.landmarks_px,
            }
        )
    tensors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    cache.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return SourcePool(**tensors)


def train(
    observer: FaceObserver,
    start: Tensor,
    scale: MotionScale,
    whitening: Whitening,
    settings: GradientSettings,
    *,
    seed: int,
    cache: Path,
    progress: Callable[[int, dict[str, float]], None] | None = None,
) -> Tensor:
    """Learn a direction matrix; a stopped run goes on from its checkpoint in ``cache``.

    Args:
        start: (k, n_rows, w_dim) shift per motion of each of the scale's parameters.

    Returns:
        (k, n_rows, w_dim) shift per motion: the running average over the last steps.
    """
    pool = collect_pool(observer, range(10_000, 10_000 + settings.pool), seed, cache)
    whitened = whitening.whiten(start).requires_grad_(True)
    average = whitened.detach().clone()
    optimiser = _RowAdam(whitened)
    checkpoint = _Checkpoint(cache / f"gradient-{seed}.safetensors")
    first = checkpoint.restore(whitened, average, optimiser)
    for step in range(first, settings.steps):
        # A generator of its own for every step, so that a continued run draws the same batches.
        random = torch.Generator().manual_seed((seed << 32) + step)
        cosine = 0.55 + 0.45 * math.cos(math.pi * step / settings.steps)
        batch = draw_batch(pool, scale, settings, random)
        loss, terms = _loss(observer, whitening, whitened, batch, scale, settings)
        whitened.grad = None
        loss.backward()
        optimiser.step(batch.moves.ne(0).any(0), settings.learning_rate * cosine)
        average.lerp_(whitened.detach(), max(0.02, 1 / (step + 1)))
        if progress:
            progress(step, terms)
        if (step + 1) % 25 == 0:
            checkpoint.save(step + 1, whitened, average, optimiser)
    return whitening.shift(average)


@dataclass(frozen=True)
class Batch:
    """b people with what to move and what must come of it.

    Attributes:
        source: (b,) places in the pool.
        moves: (b, k) motion asked for.
        target: (b, k) motion that should be seen.
        pool: where the people are.
    """

    source: Tensor
    moves: Tensor
    target: Tensor
    pool: SourcePool


EYES, BROWS, MOUTH = ("eye",), ("brow",), ("mouth", "jaw")
UPPER_FACE = EYES + BROWS


def draw_batch(
    pool: SourcePool, scale: MotionScale, settings: GradientSettings, random: torch.Generator
) -> Batch:
    """People and moves: one parameter or a mirrored pair, a mixed expression, or the head."""
    b = settings.batch
    source = torch.randint(len(pool), (b,), generator=random)
    have = scale.of(pool.parameters[source])
    moves = torch.zeros_like(have)
    for person in range(b):
        kind = float(torch.rand((), generator=random))
        if kind < 0.5:
            # Most of the parameters are the mouth's, and they are the ones that learn slowly.
            part = MOUTH if float(torch.rand((), generator=random)) < 0.75 else UPPER_FACE
            chosen = [_any_of(_expressions(scale, part), random)]
        elif kind < 0.8:
            parts = (EYES, BROWS, MOUTH)
            chosen = [_any_of(_expressions(scale, part), random) for part in parts]
        else:
            moves[person, scale.is_angle] = _head_move(have[person, scale.is_angle], random)
            chosen = [] if kind < 0.9 else [_any_of(_expressions(scale), random)]
        for parameter in chosen:
            amount = _amount(float(have[person, parameter]), random)
            moves[person, parameter] = amount
            partner = _partner(scale, parameter)
            together = float(torch.rand((), generator=random)) < settings.both_sides
            if partner != parameter and together:
                moves[person, partner] = amount
    return Batch(source, moves, have + moves, pool)


def _expressions(scale: MotionScale, prefixes: tuple[str, ...] = ("",)) -> list[int]:
    names = [FACE_SCHEMA.ids[position] for position in scale.positions]
    return [
        i
        for i, name in enumerate(names)
        if not bool(scale.is_angle[i]) and name.startswith(prefixes)
    ]


def _partner(scale: MotionScale, parameter: int) -> int:
    mirror = FACE_SCHEMA.parameters[scale.positions[parameter]].mirror
    return scale.positions.index(FACE_SCHEMA.index[mirror])


def _any_of(choices: list[int], random: torch.Generator) -> int:
    return choices[int(torch.randint(len(choices), (), generator=random))]


def _amount(have: float, random: torch.Generator) -> float:
    """Motion to ask of a face that shows ``have`` of it: up to a full move, or back to rest."""
    part = 0.3 + 0.7 * float(torch.rand((), generator=random))
    room = 1 - have
    return part * min(room, 1.2) if room > 0.3 else -part * min(have, 1.0)


def _head_move(have: Tensor, random: torch.Generator) -> Tensor:
    """From where the head is to anywhere in ±1.2 full moves of yaw and pitch."""
    wanted = (torch.rand(len(have), generator=random) * 2 - 1) * 1.2
    return wanted - have


def _loss(
    observer: FaceObserver,
    whitening: Whitening,
    whitened: Tensor,
    batch: Batch,
    scale: MotionScale,
    settings: GradientSettings,
) -> tuple[Tensor, dict[str, float]]:
    pool, source = batch.pool, batch.source
    moved = torch.einsum("bk,krd->brd", batch.moves, whitened)
    n_rows = whitened.shape[1]
    latents = pool.latents[source]
    latents = torch.cat([latents[:, :n_rows] + whitening.shift(moved), latents[:, n_rows:]], 1)
    images = observer.images(latents)
    regions, found = observer.regions(images)
    regions = torch.where(found[:, None], regions, pool.regions[source])
    seen = observer.observe(images, regions)
    moves = batch.moves.ne(0)
    terms = {
        "moved": _moved_error(seen, batch, scale, moves),
        "others": _others_error(seen, batch, scale, moves, settings),
        "lean": (seen.parameters - pool.parameters[source])[:, _ROLL].abs().mean(),
        "identity": _identity_error(seen, batch, scale, moves, settings),
        "look": (1 - (seen.look * pool.look[source]).sum(1)).mean(),
        "age": (seen.age - pool.age[source]).abs().mean() / 10,
        "gender": (seen.gender - pool.gender[source]).abs().mean(),
        "pixels": _pixel_change(images, batch, scale, moves),
        "surroundings": (seen.surroundings - pool.surroundings[source]).abs().mean(),
        "shift": moved.square().sum(-1).mean(),
        "row_tie": (moved - moved.mean(1, keepdim=True)).square().sum(-1).mean(),
    }
    weights = {"moved": settings.moved, "others": 1.0} | {
        name: getattr(settings, name) for name in list(terms)[2:]
    }
    loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
    return loss, {name: float(term.detach()) for name, term in terms.items()} | {
        "loss": float(loss.detach())
    }


def _identity_error(
    seen: Observation,
    batch: Batch,
    scale: MotionScale,
    moves: Tensor,
    settings: GradientSettings,
) -> Tensor:
    """1 − cosine; a turned head looks like another to the network even where it is the same."""
    distance = 1 - (seen.identity * batch.pool.identity[batch.source]).sum(1)
    turns = moves[:, scale.is_angle].any(1)
    return (distance * torch.where(turns, settings.identity_of_angle, 1.0)).mean()


def _moved_error(seen: Observation, batch: Batch, scale: MotionScale, moves: Tensor) -> Tensor:
    """Distance of the moved parameters from their targets, in motion."""
    error = scale.of(seen.parameters) - batch.target
    distance = functional.smooth_l1_loss(
        error, torch.zeros_like(error), beta=0.25, reduction="none"
    )
    return (distance * moves).sum(1).mean()


def _others_error(
    seen: Observation,
    batch: Batch,
    scale: MotionScale,
    moves: Tensor,
    settings: GradientSettings,
) -> Tensor:
    """Change of the parameters that were not asked to move, as the eye sees it: not in motion."""
    full = full_move(FACE_SCHEMA)[scale.positions]
    before = batch.pool.parameters[batch.source][:, scale.positions]
    error = (seen.parameters[:, scale.positions] - before) / full
    # Angles count more: a full move of them is seen far better than one of most coefficients.
    error = error * torch.where(scale.is_angle, 3.0, 1.0)
    distance = functional.smooth_l1_loss(error, torch.zeros_like(error), beta=0.1, reduction="none")
    turns = moves[:, scale.is_angle].any(1)
    weight = torch.where(turns, settings.others_of_angle, settings.others)
    partners = [_partner(scale, parameter) for parameter in range(len(scale.positions))]
    # A wink that shuts both eyes is no wink: what is tied most has to be parted hardest.
    tied = 1 + (settings.partner - 1) * moves[:, partners]
    return ((distance * tied * ~moves).sum(1) * weight).mean()


def _pixel_change(images: Tensor, batch: Batch, scale: MotionScale, moves: Tensor) -> Tensor:
    """Mean change of the pixels, in [0, 1], that the moved parameters have nothing to do with."""
    pool, source = batch.pool, batch.source
    kept = kept_pixels(pool.landmarks_px[source], moves, FACE_SCHEMA, scale.positions, IMAGE_SIZE)
    before = pool.images[source].float() / 255
    return ((images - before).abs() * kept).mean()


class _RowAdam:
    """Adam that leaves a parameter's row alone, momentum included, in steps that do not move it."""

    def __init__(self, tensor: Tensor, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        self.tensor = tensor
        self.betas = betas
        self.first, self.second = torch.zeros_like(tensor), torch.zeros_like(tensor)
        self.count = torch.zeros(len(tensor))

    @torch.no_grad()
    def step(self, rows: Tensor, learning_rate: float) -> None:
        """Update ``rows`` (k,) bool by the gradient; a gradient that is not finite is skipped."""
        gradient = self.tensor.grad
        if gradient is None or not bool(torch.isfinite(gradient).all()):
            logger.warning("skipped a step: its gradient is not finite")
            return
        one, two = self.betas
        self.count[rows] += 1
        self.first[rows] = one * self.first[rows] + (1 - one) * gradient[rows]
        self.second[rows] = two * self.second[rows] + (1 - two) * gradient[rows].square()
        count = self.count[rows][:, None, None]
        mean = self.first[rows] / (1 - one**count)
        deviation = (self.second[rows] / (1 - two**count)).sqrt()
        self.tensor[rows] -= learning_rate * mean / (deviation + 1e-8)


class _Checkpoint:
    """Everything a run needs to go on, in one safetensors file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def restore(self, whitened: Tensor, average: Tensor, optimiser: _RowAdam) -> int:
        """Put the saved state in place; the step to go on with, 0 without a checkpoint."""
        try:
            saved = load_file(self.path)
        except (FileNotFoundError, SafetensorError):
            return 0
        if saved["whitened"].shape != whitened.shape:
            return 0
        with torch.no_grad():
            whitened.copy_(saved["whitened"])
        average.copy_(saved["average"])
        optimiser.first, optimiser.second = saved["first"], saved["second"]
        optimiser.count = saved["count"]
        return int(saved["step"])

    def save(self, step: int, whitened: Tensor, average: Tensor, optimiser: _RowAdam) -> None:
        tensors = {
            "step": torch.tensor(step),
            "whitened": whitened.detach(),
            "average": average,
            "first": optimiser.first,
            "second": optimiser.second,
            "count": optimiser.count,
        }
        partial = self.path.with_suffix(".part")
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, partial)
        partial.replace(self.path)
