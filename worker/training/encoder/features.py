"""What the encoder's trunk sees of each sample, as it is and photographed.

The trunk is frozen, so each picture is looked at once. What was seen lies in cache files beside the
samples; version v of a sample depends on nothing but the sample and v.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from photorig.worker.faces.segmentation import Matte
from photorig.worker.fitting.encoder import Maps, PhotoTrunk

from .photographs import photograph
from .samples import CHUNK, Samples

VERSIONS = 2
"""Pictures of each sample: the generated one, and a photograph of it."""
_BATCH = 10


@dataclass(frozen=True)
class TrunkFeatures:
    """n samples in VERSIONS versions, one version after the other.

    Attributes:
        maps: of n · VERSIONS pictures, float16.
        codes: (n · VERSIONS, n_groups, w_dim).
        sample: (n · VERSIONS,) int64, which sample a picture shows.
    """

    maps: Maps
    codes: Tensor
    sample: Tensor


def photographs(samples: Samples, first: int, version: int, matte: Matte) -> np.ndarray:
    """Version ``version`` of CHUNK samples from number ``first`` on: (CHUNK, 256, 256, 3) uint8."""
    pictures = samples.images[first : first + CHUNK]
    if version == 0:
        return pictures
    result = []
    for number, picture in enumerate(pictures, first):
        random = np.random.default_rng((number, version))
        other = samples.images[first + int(random.integers(0, CHUNK))]
        result.append(photograph(picture, matte, other, random))
    return np.stack(result)


def load_features(
    trunk: PhotoTrunk,
    matte: Matte,
    samples: Samples,
    cache: Path,
    name: str,
    progress: Callable[[int, int], None] | None = None,
) -> TrunkFeatures:
    """Look at all versions of all samples, or read what an earlier run saw.

    Args:
        name: tells these samples from others in the cache.
    """
    n_chunks = len(samples) // CHUNK
    parts: list[list[Maps]] = [[] for _ in range(VERSIONS)]
    for chunk in range(n_chunks):
        for version in range(VERSIONS):
            path = cache / f"sights-{name}-{version}-{chunk:04d}.safetensors"
            maps = _read(path)
            if maps is None:
                maps = look(trunk, photographs(samples, chunk * CHUNK, version, matte))
                _write(path, maps)
            parts[version].append(maps)
        if progress is not None:
            progress((chunk + 1) * CHUNK, len(samples))
    maps = joined([part for version in parts for part in version])
    codes = torch.from_numpy(samples.codes).repeat(VERSIONS, 1, 1)
    return TrunkFeatures(maps, codes, torch.arange(len(samples)).repeat(VERSIONS))


@torch.no_grad()
def look(trunk: PhotoTrunk, pictures: np.ndarray) -> Maps:
    """(n, 256, 256, 3) uint8 to float16 maps."""
    parts = []
    for start in range(0, len(pictures), _BATCH):
        batch = torch.from_numpy(pictures[start : start + _BATCH])
        maps = trunk(batch.permute(0, 3, 1, 2).float() / 255)
        parts.append(Maps(maps.middle.half(), maps.deep.half(), maps.colours.half()))
    return joined(parts)


def both(one: TrunkFeatures, other: TrunkFeatures) -> TrunkFeatures:
    """The features of two sets of samples; the other's samples are counted on from the one's."""
    sample = torch.cat([one.sample, other.sample + int(one.sample.max()) + 1])
    return TrunkFeatures(
        joined([one.maps, other.maps]), torch.cat([one.codes, other.codes]), sample
    )


def joined(parts: list[Maps]) -> Maps:
    return Maps(
        torch.cat([part.middle for part in parts]),
        torch.cat([part.deep for part in parts]),
        torch.cat([part.colours for part in parts]),
    )


def _read(path: Path) -> Maps | None:
    try:
        return Maps(**load_file(path))
    except (FileNotFoundError, SafetensorError, TypeError):
        return None


def _write(path: Path, maps: Maps) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    tensors = {"middle": maps.middle, "deep": maps.deep, "colours": maps.colours}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part)
    part.replace(path)
