"""The generator on torch: CUDA and Apple GPUs, and the CPU for comparison."""

from __future__ import annotations

import numpy as np
import torch

from photorig.worker.threads import thread_count

from .latents import checked_latents, expand_latents, map_latents
from .mobile_stylegan import MobileStyleGAN, to_uint8
from .style_space import Styles, row_slices, style_vectors
from .tuning import WeightTuning
from .weights import N_ROWS, SIZES, W_DIM, GeneratorWeights, blocks_for, load_weights


class TorchGenerator:
    """Implements `Generator` with the torch module, one image at a time."""

    name = "default"
    n_rows, w_dim, z_dim, sizes = N_ROWS, W_DIM, W_DIM, SIZES

    def __init__(self, weights: GeneratorWeights, device: torch.device, precision: str) -> None:
        self._weights = weights
        self._network = MobileStyleGAN(weights).to(device)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device, self._precision = device, precision
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
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
        blocks_for(size)
        latents = checked_latents(latents)
        images = np.empty((len(latents), size, size, 3), np.uint8)
        for index, latent in enumerate(latents):
            latent_row = torch.from_numpy(latent[None]).to(self._device)
            images[index] = self._image(latent_row, size, styles)
        return images

    def tuned(self, tuning: WeightTuning) -> TorchGenerator:
        """See `Generator.tuned`."""
        return TorchGenerator(tuning.applied(self._weights), self._device, self._precision)

    def _image(self, latent: torch.Tensor, size: int, styles: Styles | None) -> np.ndarray:
        """One image at a time: kernels chosen for another batch size round differently."""
        enabled = self._dtype != torch.float32
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=self._dtype, enabled=enabled),
        ):
            return to_uint8(self._network(latent, size, styles=styles))[0]


def load_torch_generator(device: torch.device, precision: str) -> TorchGenerator:
    """The default generator on a torch device; precision ``auto`` is f32."""
    precision = "f32" if precision == "auto" else precision
    if device.type == "cpu":
        torch.set_num_threads(thread_count())
    return TorchGenerator(load_weights(), device, precision)
