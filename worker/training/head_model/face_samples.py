"""Faces sampled from the generator, each with what Net3D measures on it.

The raw material of everything that is learned by regression: the first direction matrix (latents on
parameters) and the rigged head's shape keys (vertices on parameters).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA

CHUNK = 200
"""Faces in one cache file; a run that was stopped continues with the first file that is missing."""
IMAGE_SIZE = 256
BATCH = 8
N_VERTICES = 468


class Sampler(Protocol):
    """What is needed of a generator here."""

    model_id: str
    z_dim: int
    mean_latent: np.ndarray

    def map(self, z: np.ndarray, truncation: float = 1.0) -> np.ndarray: ...

    def expand(self, latents: np.ndarray) -> np.ndarray: ...

    def synthesize(self, latents: np.ndarray, size: int) -> np.ndarray: ...


class Landmarker(Protocol):
    """What is needed of the face landmarker here (see worker/faces/landmarker.py)."""

    def detect(self, images: torch.Tensor) -> Sequence[Any]: ...

    def measure(self, images: torch.Tensor, regions: Sequence[Any]) -> Any: ...


@dataclass(frozen=True)
class FaceSamples:
    """n sampled faces and their measurement.

    Attributes:
        latents: (n, w_dim) float32, the w each face was made from (one w for all rows).
        parameters: (n, 58) float32 in the order of FACE_SCHEMA, degrees and coefficients.
        vertices: (n, 468, 3) float32, the face without its head pose, in cm, axes of the canonical
            face: x to the image's right (the subject's left), y up, z out of the face.
        found: (n,) bool, False where no face was detected; parameters and vertices are 0 there.
    """

    latents: np.ndarray
    parameters: np.ndarray
    vertices: np.ndarray
    found: np.ndarray

    def __len__(self) -> int:
        return len(self.latents)

    def usable(self) -> FaceSamples:
        """Only the faces that were found."""
        keep = self.found
        return FaceSamples(
            self.latents[keep], self.parameters[keep], self.vertices[keep], self.found[keep]
        )

    def tensors(self) -> dict[str, np.ndarray]:
        return {
            "latents": self.latents,
            "parameters": self.parameters,
            "vertices": self.vertices,
            "found": self.found,
        }


def collect_samples(
    generator: Sampler,
    landmarker: Landmarker,
    cache: Path,
    *,
    count: int = 4000,
    seed: int = 0,
    truncation: tuple[float, float] = (0.7, 0.9),
    landmarker_id: str = "face-landmarker",
    progress: Callable[[int, int], None] | None = None,
) -> FaceSamples:
    """Sample ``count`` faces and measure them; what an earlier run measured is read from ``cache``.

    Face i depends on the seed, the truncation and i only, so a larger count extends a smaller one.

    Args:
        cache: folder that is made where missing; files in it carry the seed, the truncation and the
            models in their name.
        truncation: each face draws its truncation evenly from this range, within [0, 1].
        landmarker_id: what tells one landmarker's measurements from another's in the cache.
        progress: called with (faces done, count) after each cache file.

    Raises:
        InputError: a count below one or a range that is no range within [0, 1].
    """
    low, high = truncation
    if count < 1:
        raise InputError(f"Cannot sample {count} faces", "Give a count of at least 1.")
    if not 0.0 <= low <= high <= 1.0:
        raise InputError(f"{truncation} is no truncation range", "Give 0 <= low <= high <= 1.")
    key = f"{seed}|{low:.6f}|{high:.6f}|{generator.model_id}|{landmarker_id}|{CHUNK}|{IMAGE_SIZE}"
    key += f"|{FACE_SCHEMA.hash}"
    name = "faces-" + hashlib.sha256(key.encode()).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    chunks = []
    for index in range(-(-count // CHUNK)):
        path = cache / f"{name}-{index:04d}.safetensors"
        chunk = _read_chunk(path)
        if chunk is None:
            chunk = _sample_chunk(generator, landmarker, seed, index, truncation)
            _write_chunk(path, chunk)
        chunks.append(chunk)
        if progress:
            progress(min(count, (index + 1) * CHUNK), count)
    return FaceSamples(
        *(
            np.concatenate([getattr(chunk, field) for chunk in chunks])[:count]
            for field in ("latents", "parameters", "vertices", "found")
        )
    )


def _sample_chunk(
    generator: Sampler,
    landmarker: Landmarker,
    seed: int,
    index: int,
    truncation: tuple[float, float],
) -> FaceSamples:
    random = np.random.default_rng([seed, index])
    z = random.standard_normal((CHUNK, generator.z_dim), np.float32)
    psi = random.uniform(*truncation, (CHUNK, 1)).astype(np.float32)
    mean = np.asarray(generator.mean_latent, np.float32)
    latents = mean + psi * (np.asarray(generator.map(z), np.float32) - mean)
    parameters = np.zeros((CHUNK, len(FACE_SCHEMA)), np.float32)
    vertices = np.zeros((CHUNK, N_VERTICES, 3), np.float32)
    found = np.zeros(CHUNK, bool)
    for start in range(0, CHUNK, BATCH):
        batch = slice(start, min(start + BATCH, CHUNK))
        images = generator.synthesize(generator.expand(latents[batch]), IMAGE_SIZE)
        parameters[batch], vertices[batch], found[batch] = measure_faces(landmarker, images)
    return FaceSamples(latents.astype(np.float32), parameters, vertices, found)


@torch.no_grad()
def measure_faces(
    landmarker: Landmarker, images: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(b, h, w, 3) uint8 RGB → parameters (b, 58), vertices (b, 468, 3) in cm, found (b,)."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    regions = landmarker.detect(pixels)
    found = np.array([region is not None for region in regions])
    parameters = np.zeros((len(images), len(FACE_SCHEMA)), np.float32)
    vertices = np.zeros((len(images), N_VERTICES, 3), np.float32)
    if found.any():
        measurement = landmarker.measure(
            pixels[torch.from_numpy(found)], [region for region in regions if region is not None]
        )
        parameters[found] = measurement.parameters.numpy()
        vertices[found] = measurement.aligned.numpy()
    return parameters, vertices, found


def _read_chunk(path: Path) -> FaceSamples | None:
    """A cached chunk, or None where there is none or a damaged one."""
    try:
        return FaceSamples(**load_file(path))
    except (FileNotFoundError, SafetensorError, TypeError):
        return None


def _write_chunk(path: Path, chunk: FaceSamples) -> None:
    """Whole or not at all: a run killed while writing must not leave half a file."""
    partial = path.with_suffix(f".{os.getpid()}.part")
    save_file(chunk.tensors(), partial)
    partial.replace(path)
