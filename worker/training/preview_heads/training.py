"""Trains the preview heads: ``photorig train preview-heads``.

A head is fitted to the 1024² image averaged down. The linear part starts at the least-squares
solution; then all of it is trained on crops drawn from a pool of samples that is renewed
continually. Everything is a function of the seed; a checkpoint continues where it was left.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file as load_numpy_file
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from photorig.worker.generators.layers import haar, inverse_haar
from photorig.worker.generators.mobile_stylegan import load_mobile_stylegan
from photorig.worker.generators.preview_head import (
    HEAD_SHAPES,
    N_COMPONENTS,
    HeadShape,
    PreviewHead,
    heads_from_tensors,
    heads_to_tensors,
)
from photorig.worker.generators.weights import HEADS_FILE, split_by_size

from .style_projection import StyleProjection
from .teacher import Sample, Teacher

logger = logging.getLogger(__name__)

CROP = 32
"""Side of a training crop, in pixels of the features."""

CHECKPOINT_FILE = "preview-heads.checkpoint.safetensors"

MARGIN = 2
"""Pixels of the features at a crop's inner edges that do not count: the head's own reach."""


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        samples: how many images to learn from in all.
        pool: how many of them are in memory at a time.
        steps_per_sample: training steps of each head for each new sample.
        crops: by head size, crops in a step.
        learning_rate: highest learning rate (cosine schedule).
        held_out: images the heads are judged by.
        seed: of everything.
        threads: threads of the processor to use.
    """

    samples: int = 900
    pool: int = 96
    steps_per_sample: int = 8
    crops: tuple[int, ...] = (8, 16)
    learning_rate: float = 2e-3
    held_out: int = 16
    seed: int = 1
    threads: int = 1

    @property
    def steps(self) -> int:
        return (self.samples - self.pool) * self.steps_per_sample


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``photorig train preview-heads``."""
    defaults = Settings()
    parser.add_argument("--out", type=Path, default=Path(HEADS_FILE), help="file to write")
    parser.add_argument("--checkpoint", type=Path, help="continue from and save to this folder")
    parser.add_argument(
        "--lessons", type=int, default=defaults.samples, help="images to learn from"
    )
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--threads", type=int, default=defaults.threads)


def run(args: argparse.Namespace) -> int:
    """Trains, writes the weights and says how good they are on held-out images."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings(samples=args.samples, seed=args.seed, threads=args.threads)
    torch.set_num_threads(settings.threads)
    teacher = Teacher(load_mobile_stylegan(), settings.threads)
    heads = train(teacher, settings, args.checkpoint)
    save_file(heads_to_tensors(heads), args.out)
    for quality in judge(
        heads_from_tensors(split_by_size(load_numpy_file(args.out))), held_out(teacher, settings)
    ):
        print(quality)
    return 0


# --------------------------------------------------------------------------- judging


@dataclass(frozen=True)
class Quality:
    """How near a head comes to the averaged 1024² images, over held-out images.

    Attributes:
        size: of the head.
        psnr: mean over the images, in decibels.
        worst_psnr: of the worst image.
        colour_cast: mean distance of a picture's mean red, green and blue, in levels of 255.
    """

    size: int
    psnr: float
    worst_psnr: float
    colour_cast: float

    def __str__(self) -> str:
        return (
            f"{self.size}: PSNR {self.psnr:.2f} dB (worst {self.worst_psnr:.2f} dB), "
            f"colour cast {self.colour_cast:.2f} levels"
        )


def held_out(teacher: Teacher, settings: Settings) -> list[Sample]:
    """Samples that no training with any number of samples ever sees."""
    return [teacher.sample(settings.seed + 10**6, index) for index in range(settings.held_out)]


@torch.no_grad()
def judge(heads: dict[int, PreviewHead], samples: list[Sample]) -> list[Quality]:
    """The quality of each head on these samples."""
    qualities = []
    for size, head in heads.items():
        decibels, casts = [], []
        for sample in samples:
            features = sample.features[size].float()[None]
            image = head(features, sample.latents[None]).clamp(-1, 1)[0]
            error = image - sample.images[size].float()
            decibels.append(10 * math.log10(4 / float(error.square().mean())))
            casts.append(float(error.mean(dim=(1, 2)).abs().mean()) * 127.5)
        qualities.append(
            Quality(size, float(np.mean(decibels)), min(decibels), float(np.mean(casts)))
        )
    return qualities


# --------------------------------------------------------------------------- the start


@torch.no_grad()
def initial_head(
    shape: HeadShape, projection: StyleProjection, samples: list[Sample]
) -> PreviewHead:
    """A head whose linear part is the least-squares solution on some pixels of the samples."""
    head = PreviewHead(shape)
    head.style.projection.copy_(projection.matrix)
    head.style.offset.copy_(projection.offset)
    pixels = [_some_pixels(sample, shape.size) for sample in samples]
    features = torch.cat([pixel.features for pixel in pixels])
    bands = torch.cat([pixel.bands for pixel in pixels])
    scale = 1 / features.std(dim=0).clamp_min(1e-3)
    head.feature_scale.copy_(scale.view(1, -1, 1, 1))
    design = torch.cat([features * scale, torch.ones(len(features), 1)], dim=1).double()
    normal = design.T @ design
    normal += 1e-4 * len(features) * torch.eye(len(normal), dtype=torch.float64)
    solution = torch.linalg.solve(normal, design.T @ bands.double()).float()
    weight, bias = solution[:-1].T[:, :, None, None], solution[-1]
    head.linear.load_state_dict({"weight": weight, "bias": bias})
    head.output.weight.mul_(0.1)
    return head


@dataclass(frozen=True)
class _Pixels:
    features: Tensor  # (n, channels)
    bands: Tensor  # (n, 12)


def _some_pixels(sample: Sample, size: int) -> _Pixels:
    features = sample.features[size].float()[:, 3::8, 5::8].flatten(1).T
    bands = haar(sample.images[size].float()[None])[0, :, 3::8, 5::8].flatten(1).T
    # `inverse_haar` leaves the factor 1/2 to the weights, and `haar` is its exact opposite.
    return _Pixels(features, bands)


# --------------------------------------------------------------------------- training


class Pupil:
    """One head in training: the head, its moving average and its optimiser."""

    def __init__(self, head: PreviewHead, crops: int, settings: Settings) -> None:
        self.head, self.crops, self.settings = head.train(), crops, settings
        self.average = PreviewHead(head.shape)
        self.average.load_state_dict(head.state_dict())
        self.optimiser = torch.optim.Adam(head.parameters(), settings.learning_rate, (0.9, 0.98))

    def begin(self, head: PreviewHead) -> None:
        """Starts from the values of another head."""
        self.head.load_state_dict(head.state_dict())
        self.average.load_state_dict(head.state_dict())

    def state(self) -> dict[str, Tensor]:
        """Everything that a checkpoint needs."""
        state = {f"head.{name}": value for name, value in self.head.state_dict().items()}
        state |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            state |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
        return state

    def restore(self, state: dict[str, Tensor]) -> None:
        """The opposite of `state`."""
        self.head.load_state_dict(_under(state, "head."))
        self.average.load_state_dict(_under(state, "average."))
        groups = self.optimiser.state_dict()["param_groups"]
        moments = {
            index: _under(state, f"optimiser.{index}.") for index in range(len(groups[0]["params"]))
        }
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})

    def step(self, pool: deque[Sample], number: int) -> float:
        """One training step; a function of the pool and the step's number. Returns the loss."""
        random = np.random.default_rng((self.settings.seed, self.head.shape.size, number))
        batch = draw_crops(pool, self.head.shape.size, self.crops, random)
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate(number)
        loss = crop_loss(inverse_haar(self.head.bands(batch.features, batch.latents)), batch)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.head.parameters(), 1.0)
        self.optimiser.step()
        self._average_in(min(0.999, (number + 1) / (number + 10)))
        return float(loss.detach())

    def _learning_rate(self, number: int) -> float:
        warm_up = min(1.0, (number + 1) / 100)
        cosine = 0.5 + 0.5 * math.cos(math.pi * number / max(1, self.settings.steps))
        return self.settings.learning_rate * warm_up * (0.01 + 0.99 * cosine)

    @torch.no_grad()
    def _average_in(self, keep: float) -> None:
        for mean, value in zip(self.average.parameters(), self.head.parameters(), strict=True):
            mean.lerp_(value, 1 - keep)


@dataclass(frozen=True)
class Crops:
    """A batch of training crops.

    Attributes:
        features: (b, channels, CROP, CROP); images: (b, 3, 2·CROP, 2·CROP).
        weights: (b, 1, 2·CROP, 2·CROP), 0 where the head would see beyond the crop.
        latents: (b, 16, 512).
    """

    features: Tensor
    images: Tensor
    weights: Tensor
    latents: Tensor


def draw_crops(pool: deque[Sample], size: int, count: int, random: np.random.Generator) -> Crops:
    """Random crops of random samples; a crop that leaves the picture is pushed to its edge."""
    last = size // 2 - CROP
    features, images, weights, latents = [], [], [], []
    for index in random.choice(len(pool), count, replace=False):
        sample = pool[int(index)]
        top, left = np.clip(random.integers(-CROP // 4, last + CROP // 4 + 1, 2), 0, last)
        rows, columns = slice(top, top + CROP), slice(left, left + CROP)
        features.append(sample.features[size][:, rows, columns])
        images.append(
            sample.images[size][:, 2 * top : 2 * (top + CROP), 2 * left : 2 * (left + CROP)]
        )
        weights.append(_seen_wholly(int(top), int(left), last))
        latents.append(sample.latents)
    return Crops(
        torch.stack(features).float(),
        torch.stack(images).float(),
        torch.stack(weights),
        torch.stack(latents),
    )


def _seen_wholly(top: int, left: int, last: int) -> Tensor:
    margin = 2 * MARGIN
    weight = torch.ones(1, 2 * CROP, 2 * CROP)
    if top > 0:
        weight[:, :margin] = 0
    if top < last:
        weight[:, -margin:] = 0
    if left > 0:
        weight[..., :margin] = 0
    if left < last:
        weight[..., -margin:] = 0
    return weight


def crop_loss(images: Tensor, crops: Crops) -> Tensor:
    """Charbonnier loss of the pixels and of their averages over 8², which hold the colours.

    Where the picture is as bright or as dark as it can be, to overshoot is no error.
    """
    wanted = crops.images
    clipped = ((wanted > 0.995) & (images > wanted)) | ((wanted < -0.995) & (images < wanted))
    error = torch.where(clipped, 0.0, images - wanted) * crops.weights
    return _charbonnier(error) + _charbonnier(functional.avg_pool2d(error, 8))


def _charbonnier(error: Tensor) -> Tensor:
    return (error.square() + 0.01**2).sqrt().mean()


def train(teacher: Teacher, settings: Settings, checkpoint: Path | None) -> dict[int, PreviewHead]:
    """Trains both heads. Returns the moving averages, by size."""
    torch.manual_seed(settings.seed)
    tests = held_out(teacher, settings)
    pupils = [
        Pupil(PreviewHead(shape), crops, settings)
        for shape, crops in zip(HEAD_SHAPES, settings.crops, strict=True)
    ]
    saved = _read_checkpoint(checkpoint, pupils)
    first = saved or settings.pool
    pool = deque(
        (teacher.sample(settings.seed, index) for index in range(first - settings.pool, first)),
        maxlen=settings.pool,
    )
    if saved is None:
        for pupil in pupils:
            shape = pupil.head.shape
            projection = teacher.projection(settings.seed, shape.first_row, N_COMPONENTS)
            logger.info("style of %d: %.1f %%", shape.size, 100 * projection.explained)
            pupil.begin(initial_head(shape, projection, list(pool)))
    _report(pupils, tests, first, 0.0)
    start, losses = time.monotonic(), []
    for sample in range(first, settings.samples):
        pool.append(teacher.sample(settings.seed, sample))
        for repeat in range(settings.steps_per_sample):
            number = (sample - settings.pool) * settings.steps_per_sample + repeat
            losses.append([pupil.step(pool, number) for pupil in pupils])
        if (sample + 1) % 50 == 0 or sample + 1 == settings.samples:
            logger.info("loss %s", np.round(np.mean(losses, axis=0), 4))
            losses = []
            _report(pupils, tests, sample + 1, time.monotonic() - start)
            _write_checkpoint(checkpoint, pupils, sample + 1)
    return {pupil.head.shape.size: pupil.average.eval() for pupil in pupils}


def _report(pupils: list[Pupil], tests: list[Sample], sample: int, seconds: float) -> None:
    heads = {pupil.head.shape.size: pupil.average for pupil in pupils}
    for quality in judge(heads, tests):
        logger.info("lesson %d, %.0f s, %s", sample, seconds, quality)


def _read_checkpoint(folder: Path | None, pupils: list[Pupil]) -> int | None:
    """Puts the pupils back where a run was left; the number of its next sample, None if none."""
    if folder is None or not (folder / CHECKPOINT_FILE).exists():
        return None
    tensors = load_file(folder / CHECKPOINT_FILE)
    for pupil in pupils:
        pupil.restore(_under(tensors, f"{pupil.head.shape.size}."))
    return int(tensors["lesson"])


def _write_checkpoint(folder: Path | None, pupils: list[Pupil], sample: int) -> None:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {"lesson": torch.tensor(sample)}
    for pupil in pupils:
        state = pupil.state()
        tensors |= {f"{pupil.head.shape.size}.{name}": state[name] for name in state}
    save_file(tensors, folder / f"{CHECKPOINT_FILE}.part")
    (folder / f"{CHECKPOINT_FILE}.part").replace(folder / CHECKPOINT_FILE)
    averages = {pupil.head.shape.size: pupil.average for pupil in pupils}
    save_file(heads_to_tensors(averages), folder / HEADS_FILE)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
