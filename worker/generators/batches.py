"""How many images a device makes at once, and what happens where it cannot.

An image's bytes must not depend on what is made beside it. Kernels chosen for another batch size
may round differently, so a device makes several at once only after it has shown, on the first ones,
that they are those that it makes one by one; and then always as many.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import torch

from photorig.shared.errors import ModelError

logger = logging.getLogger(__name__)

LARGEST = {"cuda": 8, "mps": 4, "cpu": 1}
"""Images at once by kind of device; several are no faster on a processor."""

_LOST = ("CUDA error", "device-side", "device lost", "driver shutting down", "MTLCommandBuffer")


class Batches:
    """Makes images in as large batches as the device bears; one for each device and generator.

    Args:
        device: ``cuda``, ``mps`` or ``cpu``.
        largest: images at once at most.
    """

    def __init__(self, device: str, largest: int | None = None) -> None:
        self.device = device
        self._largest = LARGEST.get(device, 1) if largest is None else largest
        self._proven: dict[object, int] = {}

    def run(
        self, key: object, latents: np.ndarray, make: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Images (b, size, size, 3) of latents (b, rows, width).

        Args:
            key: names what decides a batch's memory and rounding, the size for example.
            make: the images of some of the latents.

        Raises:
            ModelError: the device has not the memory for one image, or is lost.
        """
        parts, start = [], 0
        while start < len(latents):
            batch = latents[start : start + self._size_for(key, len(latents) - start)]
            images = self._tried(key, batch, make)
            if images is not None:
                parts.append(images)
                start += len(images)
        return np.concatenate(parts)

    def _size_for(self, key: object, left: int) -> int:
        size = self._proven.get(key, self._largest)
        return size if size <= left else 1

    def _tried(
        self, key: object, batch: np.ndarray, make: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray | None:
        """None where the batch was too large, and is smaller the next time."""
        try:
            images = make(batch)
            if len(batch) > 1 and key not in self._proven:
                single = np.concatenate([make(one[None]) for one in batch])
                same = np.array_equal(images, single)
                self._proven[key] = len(batch) if same else 1
                images = single
            return images
        except RuntimeError as error:
            if _is_out_of_memory(error):
                self._smaller(key, len(batch), error)
                return None
            if any(sign in str(error) for sign in _LOST):
                raise ModelError(
                    f"The device {self.device} was lost",
                    "Start Photorig again; if it happens again, use --device cpu.",
                ) from error
            raise

    def _smaller(self, key: object, size: int, error: RuntimeError) -> None:
        if self.device == "cuda" and torch.cuda.is_available():
            torch.cuda.empty_cache()
        if size == 1:
            raise ModelError(
                f"The device {self.device} has not enough memory for one picture",
                "Close other programs that use it, choose a smaller --size, or use --device cpu.",
            ) from error
        logger.warning("%s has no memory for %d pictures at once", self.device, size)
        self._largest = size // 2
        self._proven = {known: min(n, size // 2) for known, n in self._proven.items()}


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def fetched(images: torch.Tensor) -> np.ndarray:
    """Images of a device as an array; from CUDA through memory that the device can write to."""
    if images.device.type != "cuda":
        return images.cpu().numpy()
    target = torch.empty(images.shape, dtype=images.dtype, pin_memory=True)
    target.copy_(images, non_blocking=True)
    torch.cuda.current_stream(images.device).synchronize()
    return target.numpy()
