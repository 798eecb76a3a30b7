"""The generator on torch: CUDA and Apple GPUs, and the CPU for comparison."""

from __future__ import annotations

import numpy as np
import torch

from .latents import checked_latents
from .mobile_stylegan import MobileStyleGAN, blocks_for, load_mobile_stylegan, to_uint8


class TorchGenerator:
    """Implements `Generator` with the torch module, one image at a time."""

    def __init__(self, network: MobileStyleGAN, device: torch.device, precision: str) -> None:
        self._network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = device
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.model_id = network.model_id
        self.n_rows, self.w_dim, self.sizes = network.n_rows, network.w_dim, network.sizes
        self.mean_latent = network.mean_latent.cpu().numpy()
        self.latent_std = network.latent_std.cpu().numpy()
        self.device = device.type
        self.backend = f"torch {precision}"

    def map(self, z: np.ndarray, truncation: float = 1.0) -> np.ndarray:
        """See `Generator.map`."""
        with torch.inference_mode():
            w = self._network.map(torch.from_numpy(np.float32(z)).to(self._device), truncation)
        return w.cpu().numpy()

    def expand(self, w: np.ndarray) -> np.ndarray:
        """See `Generator.expand`."""
        return np.repeat(np.float32(w)[:, None, :], self.n_rows, axis=1)

    def synthesize(self, latents: np.ndarray, size: int) -> np.ndarray:
        """See `Generator.synthesize`."""
        blocks_for(size)
        latents = checked_latents(latents)
        images = np.empty((len(latents), size, size, 3), np.uint8)
        for index, latent in enumerate(latents):
            images[index] = self._image(torch.from_numpy(latent[None]).to(self._device), size)
        return images

    def _image(self, latent: torch.Tensor, size: int) -> np.ndarray:
        """One image at a time: kernels chosen for another batch size round differently."""
        enabled = self._dtype != torch.float32
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=self._dtype, enabled=enabled),
        ):
            return to_uint8(self._network(latent, size))[0]


def load_torch_generator(device: torch.device, precision: str) -> TorchGenerator:
    """The default generator on a torch device; precision ``auto`` is f32."""
    precision = "f32" if precision == "auto" else precision
    return TorchGenerator(load_mobile_stylegan(), device, precision)
