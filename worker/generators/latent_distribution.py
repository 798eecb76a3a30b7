"""The distribution of a network's w, in which inversion takes its steps and holds its codes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .network import Network
from .weights import SLOPE

_SAMPLES, _SEED = 2048, 7
_LEAST_VARIANCE = 0.05  # of the mean variance: directions that w hardly uses count no more


class LatentDistribution:
    """The distribution of w over random z, as a normal one before the last non-linearity."""

    def __init__(self, network: Network) -> None:
        z = torch.randn(_SAMPLES, network.z_dim, generator=torch.Generator().manual_seed(_SEED))
        device = network.mean_latent.device
        with torch.no_grad():
            samples = _linear(network.map(z.to(device))).cpu()
            self._mean = samples.mean(0).to(device)
            variances, axes = torch.linalg.eigh(torch.cov(samples.T).double())
            variances = variances.clamp_min(0) + _LEAST_VARIANCE * variances.mean()
            self._whitening = (axes * variances.rsqrt()).float().to(device)
            self._colouring = (axes * variances.sqrt()).T.float().to(device)

    def coordinates(self, latents: Tensor) -> Tensor:
        """Whitened coordinates of latents (…, w_dim)."""
        return (_linear(latents) - self._mean) @ self._whitening

    def latents(self, coordinates: Tensor) -> Tensor:
        """Latents of whitened coordinates (…, w_dim)."""
        linear = coordinates @ self._colouring + self._mean
        return F.leaky_relu(linear, SLOPE) * 2**0.5

    def distance(self, latents: Tensor) -> Tensor:
        """Mean squared whitened coordinate of latents (…, w_dim)."""
        return self.coordinates(latents).square().mean()


def _linear(w: Tensor) -> Tensor:
    """Undoes the mapping network's last leaky ReLU."""
    return F.leaky_relu(w / 2**0.5, 1 / SLOPE)
