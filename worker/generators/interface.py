"""What every generator offers, whatever it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from .style_space import Styles
from .tuning import WeightTuning

if TYPE_CHECKING:
    import torch


class Generator(Protocol):
    """W+ in, image out. Frames are pure: fixed noise, fixed mean latent, no state between calls.

    Attributes:
        name: as `load_generator` takes it.
        model_id: names the latent space; equal for all backends of the same weights.
        pixels_id: changes with everything but the backend that changes the pixels, preview heads
            included.
        n_rows, w_dim: latents are (n_rows, w_dim), here (16, 512).
        z_dim: length of a random code.
        sizes: sides of the images it can make, in pixels.
        mean_latent, latent_std: (w_dim,) float32, over random z.
        backend: for people, for example ``openvino f32``.
        device: for people, for example ``cpu``.
    """

    name: str
    model_id: str
    pixels_id: str
    n_rows: int
    w_dim: int
    z_dim: int
    sizes: tuple[int, ...]
    mean_latent: np.ndarray
    latent_std: np.ndarray
    backend: str
    device: str

    @property
    def style_rows(self) -> tuple[slice, ...]:
        """Where each row's factors are in a vector of StyleSpace."""
        ...

    def map(self, z: np.ndarray, truncation: float = 1.0) -> np.ndarray:
        """z (b, 512) standard normal → w (b, 512) float32, pulled towards the mean latent."""
        ...

    def expand(self, w: np.ndarray) -> np.ndarray:
        """w (b, 512) → latents (b, 16, 512) float32 with the same row sixteen times."""
        ...

    def styles(self, latents: np.ndarray) -> np.ndarray:
        """latents (b, 16, 512) → their vectors of StyleSpace (b, n) float32, see style_space.py."""
        ...

    def synthesize(
        self, latents: np.ndarray, size: int, styles: Styles | None = None
    ) -> np.ndarray:
        """latents (b, 16, 512) → images (b, size, size, 3) uint8 RGB.

        The bytes of an image do not depend on the other images of the batch.

        Args:
            styles: by how much regions of all images, or their factors, differ from the latents;
                where regions' shifts are zero, images have the bytes that they have without.

        Raises:
            InputError: the shape or the size is not one the generator has.
        """
        ...

    def tuned(self, tuning: WeightTuning) -> Generator:
        """This generator with its weights tuned to one person; same latents, other images.

        Raises:
            InputError: the tuning belongs to another generator, or is damaged.
        """
        ...


@runtime_checkable
class DeviceGenerator(Protocol):
    """A `Generator` whose pictures can stay on a torch device.

    Attributes:
        torch_device: where.
    """

    torch_device: torch.device

    @property
    def at_once(self) -> int:
        """Pictures that it makes in one call at most; 1 where several are no faster."""
        ...

    def drawn(
        self, latents: np.ndarray, size: int, styles: Styles | Sequence[Styles] | None = None
    ) -> torch.Tensor:
        """As `Generator.synthesize`, uint8 on the device.

        Args:
            styles: of all images, or one for each; then all of one kind.
        """
        ...
