"""What fitting, training and evaluation know of a generator: a differentiable network.

Nothing outside this room says how many rows its latents have, how long they are, or of which blocks
it is made.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from .style_space import Styles


@dataclass(frozen=True)
class Stage:
    """How far the images of some latents are, where everything for a smaller size is done.

    Attributes:
        latents: (b, n_rows, w_dim).
        size: side of the image that is done.
        features: what the network goes on with; image: (b, 3, s, s) that it adds to, if it does.
    """

    latents: Tensor
    size: int
    features: Tensor
    image: Tensor | None = None


class Network(nn.Module, ABC):
    """Latents in, images out. Frozen; gradients flow to the latents.

    Attributes:
        model_id: names the latent space, as of `Generator`.
        n_rows, w_dim: latents are (n_rows, w_dim); z_dim: length of a random code.
        sizes: sides of the images that it makes, in pixels, the smallest first.
        mean_latent, latent_std: (w_dim,) float32, over random z.
    """

    model_id: str
    n_rows: int
    w_dim: int
    z_dim: int
    sizes: tuple[int, ...]
    mean_latent: Tensor
    latent_std: Tensor

    def placed_on(self, device: torch.device) -> Self:
        """Computes on a device from now on; callers go on giving and getting tensors of the CPU."""
        self.to(device)

        def to_device(_: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
            return tuple(_moved(a, device) for a in args), {
                name: _moved(value, device) for name, value in kwargs.items()
            }

        self.register_forward_pre_hook(to_device, with_kwargs=True)
        self.register_forward_hook(lambda module, args, images: images.cpu())
        return self

    @abstractmethod
    def map(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """z (b, z_dim) → w (b, w_dim), pulled towards the mean latent by ``truncation``."""

    def expand(self, w: Tensor) -> Tensor:
        """w (b, w_dim) → latents (b, n_rows, w_dim) with the same row each time."""
        return w[:, None, :].expand(-1, self.n_rows, -1)

    @abstractmethod
    def features(self, latents: Tensor, n_blocks: int) -> Iterator[Tensor]:
        """The hidden features after each of the first blocks: 8², 16², …"""

    @abstractmethod
    def styles(self, latents: Tensor) -> Tensor:
        """Latents (b, n_rows, w_dim) → their vectors of StyleSpace (b, n), see style_space.py."""

    @abstractmethod
    def forward(
        self,
        latents: Tensor,
        size: int = 1024,
        exact: bool = False,
        styles: Styles | Tensor | None = None,
    ) -> Tensor:
        """latents (b, n_rows, w_dim) → images (b, 3, size, size) in about [-1, 1], not clamped.

        Args:
            exact: sizes below the largest by averaging it, whatever quicker way there is.
            styles: by how much regions of all images, or their factors, differ from the latents.
        """

    @abstractmethod
    def begun(self, latents: Tensor, size: int) -> Stage:
        """All that an image of that size needs."""

    @abstractmethod
    def larger(self, stage: Stage) -> dict[int, Tensor]:
        """Images (b, 3, s, s) by size beyond that of the stage, the smallest first."""

    @abstractmethod
    def is_tunable(self, name: str) -> bool:
        """Whether a person's tuning may move a parameter of that name."""

    @abstractmethod
    def is_beyond(self, name: str, size: int) -> bool:
        """Whether a parameter is tunable and comes into play beyond that size only."""

    def small(self, stage: Stage) -> Tensor:
        """The image (b, 3, size, size) of a stage."""
        with torch.no_grad():
            return self(stage.latents, stage.size)  # type: ignore[no-any-return]


def _moved(value: object, device: torch.device) -> object:
    return value.to(device) if isinstance(value, Tensor) else value
