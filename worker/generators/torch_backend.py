"""The generator on torch: CUDA and Apple GPUs, and the CPU for comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from photorig.worker.tensors import fetched
from photorig.worker.threads import thread_count

from .batches import Batches
from .latents import checked_latents, expand_latents, map_latents
from .mobile_stylegan import MobileStyleGAN
from .on_device import DevicePictures
from .style_space import Styles, row_slices, style_vectors
from .tuning import WeightTuning
from .weights import N_ROWS, SIZES, W_DIM, GeneratorWeights, blocks_for, load_weights


class TorchGenerator:
    """Implements `Generator` and `DeviceGenerator` with the torch module."""

    name = "default"
    n_rows, w_dim, z_dim, sizes = N_ROWS, W_DIM, W_DIM, SIZES

    def __init__(
        self,
        weights: GeneratorWeights,
        device: torch.device,
        precision: str,
        batches: Batches | None = None,
    ) -> None:
        self._weights = weights
        network = MobileStyleGAN(weights).to(device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._pictures = DevicePictures(network.drawn, device, precision, batches)
        self.torch_device, self._precision = device, precision
        self.model_id = weights.model_id
        self.pixels_id = weights.pixels_id
        self.mean_latent, self.latent_std = weights.statistics.mean, weights.statistics.std
        self.device = device.type
        self.backend = f"torch {precision}"

    def map(self, z: np.ndarray, truncation: float = 1.0) -> np.ndarray:
        """See `Generator.map`."""
        return map_latents(self._weights, z, truncation)

    def expand(self, w: np.ndarray) -> np.ndarray:
        """See `Generator.expand`."""
        return expand_latents(w)

    @property
    def style_rows(self) -> tuple[slice, ...]:
        """See `Generator.style_rows`."""
        return row_slices(self._weights)

    def styles(self, latents: np.ndarray) -> np.ndarray:
        """See `Generator.styles`."""
        return style_vectors(self._weights, checked_latents(latents))

    def synthesize(
        self, latents: np.ndarray, size: int, styles: Styles | None = None
    ) -> np.ndarray:
        """See `Generator.synthesize`."""
        return fetched(self.drawn(latents, size, styles))

    @property
    def at_once(self) -> int:
        """See `DeviceGenerator`."""
        return self._pictures.batches.largest

    def drawn(
        self, latents: np.ndarray, size: int, styles: Styles | Sequence[Styles] | None = None
    ) -> torch.Tensor:
        """See `DeviceGenerator.drawn`."""
        blocks_for(size)
        return self._pictures.drawn(checked_latents(latents), size, styles)

    def tuned(self, tuning: WeightTuning) -> TorchGenerator:
        """See `Generator.tuned`."""
        weights = tuning.applied(self._weights)
        return TorchGenerator(weights, self.torch_device, self._precision, self._pictures.batches)


def load_torch_generator(device: torch.device, precision: str) -> TorchGenerator:
    """The default generator on a torch device; precision ``auto`` is f32."""
    precision = "f32" if precision == "auto" else precision
    if device.type == "cpu":
        torch.set_num_threads(thread_count())
    return TorchGenerator(load_weights(), device, precision)
