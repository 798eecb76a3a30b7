"""A code: what a picture is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .interface import Generator
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
