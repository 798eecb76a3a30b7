"""Pictures that the encoder learns from: generated faces whose latents are known.

A sample depends on nothing but its group, seed and number. Samples lie in cache files of CHUNK, so
a stopped run continues with the first file that is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from photorig.shared.errors import InputError
from photorig.worker.fitting.encoder import ROW_GROUPS, first_rows, rows_of
from photorig.worker.generators.interface import Generator

CHUNK = 100
IMAGE_SIZE = 256

TRAINING, HELD_OUT = 0, 1
"""Groups of samples that share no face."""

_TRUNCATION = (0.6, 1.0)
_PLAIN = 0.3  # share of faces with one w for all rows
_MIXED = 0.6  # how far a group of rows leans at most towards another face


@dataclass(frozen=True)
class Samples:
    """n generated faces.

    Attributes:
        codes: (n, n_groups, w_dim) float32, one w for each group of rows.
        images: (n, 256, 256, 3) uint8.
    """

    codes: np.ndarray
    images: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)


def draw_code(generator: Generator, random: np.random.Generator) -> np.ndarray:
    """(n_groups, w_dim): a face whose groups of rows lean towards other faces.

    Photos lie beside W: an encoder that has seen one w for all rows only cannot use the freedom
    that W+ has. The leaning stays small enough for the pictures to be faces.
    """
    n_groups = len(ROW_GROUPS)
    truncation = random.uniform(*_TRUNCATION)
    z = random.standard_normal((1 + n_groups, generator.z_dim), np.float32)
    w = generator.map(z, float(truncation))
    if random.random() < _PLAIN:
        return np.repeat(w[:1], n_groups, 0)
    lean = random.uniform(0, _MIXED, (n_groups, 1)).astype(np.float32)
    return w[:1] + lean * (w[1:] - w[:1])


def load_samples(
    generator: Generator,
    group: int,
    seed: int,
    count: int,
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Samples:
    """The first ``count`` samples of a group, rounded up to whole chunks."""
    chunks = []
    for chunk in range(-(-count // CHUNK)):
        path = cache / f"lessons-{generator.pixels_id[:12]}-{group}-{seed}-{chunk:04d}.safetensors"
        samples = _read(path)
        if samples is None:
            samples = _chunk(generator, group, seed, chunk)
            _write(path, samples)
        chunks.append(samples)
        if progress is not None:
            progress((chunk + 1) * CHUNK, count)
    return Samples(
        np.concatenate([samples.codes for samples in chunks]),
        np.concatenate([samples.images for samples in chunks]),
    )


def observed_people(path: Path) -> Samples:
    """Faces that the training of directions has rendered, whole chunks of them.

    Args:
        path: what `collect_pool` of training/directions/gradient.py keeps in its cache.

    Raises:
        InputError: it is no such file.
    """
    try:
        tensors = load_file(path)
        latents, images = tensors["latents"], tensors["images"]
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(f"There are no observed people in {path}: {error}") from error
    count = len(latents) // CHUNK * CHUNK
    codes = latents[:count, first_rows(latents.shape[1])]
    return Samples(codes, np.ascontiguousarray(images[:count].transpose(0, 2, 3, 1)))


def _chunk(generator: Generator, group: int, seed: int, chunk: int) -> Samples:
    numbers = range(chunk * CHUNK, (chunk + 1) * CHUNK)
    codes = np.stack(
        [draw_code(generator, np.random.default_rng((seed, group, number))) for number in numbers]
    )
    latents = rows_of(torch.from_numpy(codes), generator.n_rows).numpy()
    return Samples(codes, generator.synthesize(latents, IMAGE_SIZE))


def _read(path: Path) -> Samples | None:
    try:
        return Samples(**load_file(path))
    except (FileNotFoundError, SafetensorError, TypeError):
        return None


def _write(path: Path, samples: Samples) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file({"codes": samples.codes, "images": samples.images}, part)
    part.replace(path)
