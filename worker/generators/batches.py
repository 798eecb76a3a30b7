"""How many images a device makes at once, and what happens where it cannot.

An image's bytes must not depend on what is made beside it. Kernels chosen for another batch size
may round differently, so a device makes several at once only after it has shown, on the first ones,
that they are those that it makes one by one; and then always as many. How many that are, its memory
says: the first image is made alone and watched.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch

from photorig.shared.errors import ModelError

logger = logging.getLogger(__name__)

LARGEST = {"cuda": 8, "mps": 4, "cpu": 1}
"""Images at once by kind of device; several are no faster on a processor."""

_SHARE = 0.8
"""Of the memory that is free, for what images take while they are made."""

_LOST = ("CUDA error", "device-side", "device lost", "driver shutting down", "MTLCommandBuffer")


class DeviceMemory(Protocol):
    """What is known of a device's memory."""

    def watched(self, make: Callable[[], Any]) -> tuple[Any, int]:
        """What ``make`` gives, and the bytes that it took besides while it did; 0: not known."""

    def free(self) -> int:
        """Bytes that can still be had."""


class CudaMemory:
    """`DeviceMemory` of the present CUDA device."""

    def watched(self, make: Callable[[], Any]) -> tuple[Any, int]:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        made = make()
        return made, max(torch.cuda.max_memory_allocated() - before, 0)

    def free(self) -> int:
        kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return int(torch.cuda.mem_get_info()[0]) + kept


class Batches:
    """Makes images in as large batches as the device bears; one for each device and generator.

    Args:
        device: ``cuda``, ``mps`` or ``cpu``.
        largest: images at once at most.
        memory: of the device, where it tells.
    """

    def __init__(
        self, device: str, largest: int | None = None, memory: DeviceMemory | None = None
    ) -> None:
        self.device = device
        self.largest = LARGEST.get(device, 1) if largest is None else largest
        if memory is None and device == "cuda" and torch.cuda.is_available():
            memory = CudaMemory()
        self._memory = memory
        self._proven: dict[object, int] = {}
        self._fitting: dict[object, int] = {}

    def run(self, key: object, count: int, make: Callable[[slice], Any]) -> Any:
        """Images (count, size, size, 3), as tensors or arrays, whatever ``make`` gives.

        Args:
            key: names what decides a batch's memory and rounding, the size for example.
            make: the images of some of them.

        Raises:
            ModelError: the device has not the memory for one image, or is lost.
        """
        parts, start = [], 0
        while start < count:
            with device_errors(self.device, "one picture"):
                images = self._tried(key, start, count - start, make)
            if images is not None:
                parts.append(images)
                start += len(images)
        return _joined(parts)

    def _size_for(self, key: object, left: int) -> int:
        size = self._proven.get(key, min(self.largest, self._fitting.get(key, self.largest)))
        return size if size <= left else 1

    def _tried(self, key: object, start: int, left: int, make: Callable[[slice], Any]) -> Any:
        """None where the batch was too large, and is smaller the next time."""
        is_unknown = self._memory is not None and key not in self._fitting
        if is_unknown and min(left, self.largest) > 1:
            assert self._memory is not None
            images, taken = self._memory.watched(lambda: make(slice(start, start + 1)))
            most = int(_SHARE * self._memory.free()) // taken if taken else self.largest
            self._fitting[key] = max(most, 1)
            return images
        size = self._size_for(key, left)
        try:
            images = make(slice(start, start + size))
            if size > 1 and key not in self._proven:
                single = _joined([make(slice(n, n + 1)) for n in range(start, start + size)])
                self._proven[key] = size if _same(images, single) else 1
                images = single
            return images
        except RuntimeError as error:
            if size == 1 or not is_out_of_memory(error):
                raise
            self._smaller(size)
            return None

    def _smaller(self, size: int) -> None:
        if self.device == "cuda" and torch.cuda.is_available():
            torch.cuda.empty_cache()
        logger.warning("%s has no memory for %d pictures at once", self.device, size)
        self.largest = size // 2
        self._proven = {known: min(n, size // 2) for known, n in self._proven.items()}


@contextlib.contextmanager
def device_errors(device: str, what: str) -> Iterator[None]:
    """Say in one sentence what a device lacks: raises ModelError where it has not the memory for
    what is made, or is lost. Other errors stay what they are.

    Args:
        device: ``cuda``, ``mps`` or ``cpu``.
        what: is made, for a person.
    """
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise ModelError(
                f"The device {device} has not enough memory for {what}",
                "Close other programs that use it, choose a smaller --size, or use --device cpu.",
            ) from error
        if any(sign in str(error) for sign in _LOST):
            raise ModelError(
                f"The device {device} was lost",
                "Start Photorig again: frames that are finished are kept, and it goes on with the"
                " others; if it happens again, use --device cpu.",
            ) from error
        raise


def is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    return torch.cat(parts) if isinstance(parts[0], torch.Tensor) else np.concatenate(parts)


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    return np.array_equal(first, second)
