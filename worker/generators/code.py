"""A code: what a picture is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from photorig.worker.rasters import Raster, finished

from .interface import DeviceGenerator, Generator
from .style_space import Styles


@dataclass(frozen=True, eq=False)
class Code:
    """Latents, for the whole picture or with what differs region by region or style by style.

    Attributes:
        latents: (n_rows, w_dim) float32 in W+.
        styles: by how much the picture differs from these latents; None where it does not.
    """

    latents: np.ndarray
    styles: Styles | None = None

    def drawn(self, generator: Generator, size: int) -> np.ndarray:
        """(size, size, 3) uint8: the picture of it."""
        return generator.synthesize(self.latents[None], size, self.styles)[0]

    def at_rest(self, latents: np.ndarray) -> Code:
        """The code of a face at rest (n_rows, w_dim), drawn on the same graph as this one."""
        return Code(latents, None if self.styles is None else self.styles.at_rest())


def drawn_together(
    codes: Sequence[Code], generator: Generator, size: int, stay: bool = False
) -> list[Raster]:
    """Pictures (size, size, 3) uint8 of codes, in one call where the generator's device makes
    several at once; the same bytes as one by one.

    Args:
        stay: whether they stay on that device, as tensors, if it is one of torch.
    """
    if not isinstance(generator, DeviceGenerator) or (generator.at_once == 1 and not stay):
        return [code.drawn(generator, size) for code in codes]
    kinds: dict[type, list[int]] = {}
    for index, code in enumerate(codes):
        kinds.setdefault(type(code.styles), []).append(index)
    pictures: dict[int, Raster] = {}
    for indices in kinds.values():
        latents = np.stack([codes[index].latents for index in indices])
        styles = [s for index in indices if (s := codes[index].styles) is not None]
        images = generator.drawn(latents, size, styles or None)
        pictures |= dict(zip(indices, images if stay else finished(images), strict=True))
    return [pictures[index] for index in range(len(codes))]
