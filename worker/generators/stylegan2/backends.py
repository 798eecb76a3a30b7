"""An imported StyleGAN2 as a `Generator` on torch; on OpenVINO: openvino_backend.py."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from photorig.shared.errors import InputError
from photorig.worker.tensors import fetched

from ..batches import Batches
from ..on_device import HALF, DevicePictures, to_bytes
from ..style_space import STYLE_ROWS, Styles
from ..tuning import WeightTuning
from .network import StyleGan2
from .weights import StyleGan2Weights, is_tunable


class StyleGan2Generator(ABC):
    """Implements `Generator` but for the making of images.

    Below its own side it averages pixels, which is what small pictures of it look like; above, it
    enlarges, and nothing is added.
    """

    device: str
    backend: str

    def __init__(self, weights: StyleGan2Weights) -> None:
        self._weights = weights
        form, self.name = weights.form, weights.name
        self.model_id, self.pixels_id = weights.model_id, weights.pixels_id
        self.n_rows, self.w_dim, self.z_dim = form.n_rows, form.w_dim, form.z_dim
        self.sizes = form.sizes
        self.mean_latent, self.latent_std = weights.statistics.mean, weights.statistics.std

    def map(self, z: np.ndarray, truncation: float = 1.0) -> np.ndarray:
        """See `Generator.map`."""
        return self._weights.map(z, truncation)

    def expand(self, w: np.ndarray) -> np.ndarray:
        """See `Generator.expand`."""
        return np.repeat(np.asarray(w, np.float32)[:, None, :], self.n_rows, axis=1)

    @property
    def style_rows(self) -> tuple[slice, ...]:
        """See `Generator.style_rows`."""
        layers = self._weights.form.convolution_rows(STYLE_ROWS)
        lengths = [len(self._weights.affine(name)[1]) for name, _ in layers]
        ends = [0, *accumulate(lengths)]
        return tuple(slice(first, last) for first, last in pairwise(ends))

    def styles(self, latents: np.ndarray) -> np.ndarray:
        """See `Generator.styles`: StyleMask's order, convolutions of the coarser rows alone."""
        latents = self._checked(latents)
        parts = []
        for name, row in self._weights.form.convolution_rows(STYLE_ROWS):
            weight, bias = self._weights.affine(name)
            parts.append(latents[:, row] @ weight.T + bias)
        return np.concatenate(parts, axis=1).astype(np.float32)

    def synthesize(
        self, latents: np.ndarray, size: int, styles: Styles | None = None
    ) -> np.ndarray:
        """See `Generator.synthesize`."""
        self._check_size(size)
        return self._images(self._checked(latents), size, styles)

    def tuned(self, tuning: WeightTuning) -> Self:
        """See `Generator.tuned`."""
        weights = self._weights
        for name, delta in tuning.checked(is_tunable):
            weights = weights.moved(name, delta)
        return self._with(weights, tuning.id)

    def _check_size(self, size: int) -> None:
        if size not in self.sizes:
            sizes = ", ".join(map(str, self.sizes))
            raise InputError(f"the generator has no size {size}", f"Choose one of {sizes}.")

    def _checked(self, latents: np.ndarray) -> np.ndarray:
        latents = np.ascontiguousarray(latents, np.float32)
        if latents.ndim != 3 or latents.shape[1:] != (self.n_rows, self.w_dim):
            raise InputError(
                f"latents must be (n, {self.n_rows}, {self.w_dim}), not {latents.shape}"
            )
        if not np.isfinite(latents).all():
            raise InputError("latents contain a value that is not a finite number")
        return latents

    @abstractmethod
    def _images(self, latents: np.ndarray, size: int, styles: Styles | None) -> np.ndarray: ...

    @abstractmethod
    def _with(self, weights: StyleGan2Weights, tuning_id: str) -> Self: ...


class Drawing(nn.Module):
    """From numbers to bytes: latents and what differs from them → (b, size, size, 3) uint8."""

    def __init__(self, network: StyleGan2, size: int) -> None:
        super().__init__()
        self.network, self.size = network, size

    def forward(self, latents: Tensor, *differences: Tensor) -> Tensor:
        """Images of latents (b, n_rows, w_dim); ``differences`` as of `StyleGan2.drawn`."""
        return to_bytes(self.network.drawn(latents, self.size, *differences))


class TorchStyleGan2(StyleGan2Generator):
    """On a torch device, several images at once where that changes no byte; a `DeviceGenerator`."""

    def __init__(
        self,
        weights: StyleGan2Weights,
        device: torch.device,
        precision: str,
        batches: Batches | None = None,
    ) -> None:
        super().__init__(weights)
        self.torch_device, self._precision = device, precision
        network = StyleGan2(weights).to(device)
        if device.type != "cpu":
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if precision in HALF:
            network.fuse()
        self._pictures = DevicePictures(network.drawn, device, precision, batches)
        self.device, self.backend = device.type, f"torch {precision}"

    @property
    def at_once(self) -> int:
        """See `DeviceGenerator`."""
        return self._pictures.batches.largest

    def drawn(
        self, latents: np.ndarray, size: int, styles: Styles | Sequence[Styles] | None = None
    ) -> Tensor:
        """See `DeviceGenerator.drawn`."""
        self._check_size(size)
        return self._pictures.drawn(self._checked(latents), size, styles)

    def _images(self, latents: np.ndarray, size: int, styles: Styles | None) -> np.ndarray:
        return fetched(self._pictures.drawn(latents, size, styles))

    def _with(self, weights: StyleGan2Weights, tuning_id: str) -> TorchStyleGan2:
        return TorchStyleGan2(weights, self.torch_device, self._precision, self._pictures.batches)
