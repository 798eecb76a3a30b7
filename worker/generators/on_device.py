"""Pictures of a network on a torch device: precision, batches, recordings, and the way to and fro.

What every generator on torch shares. Latents go to the device in one piece; pictures stay there for
whoever goes on with them there, or are fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from photorig.worker.tensors import sent

from .batches import Batches
from .replays import Replays
from .style_space import Styles, difference_arrays

HALF = {"bf16": torch.bfloat16, "f16": torch.float16}
"""Types of the precisions that are not f32."""


class DevicePictures:
    """Makes a network's pictures on a device.

    Args:
        make: images (b, 3, s, s) in about [-1, 1] of latents (b, rows, width), a size, and the
            tensors of `difference_arrays`.
        precision: f32, bf16 or f16.
        batches: shared by generators of the same network, tuned or not.
    """

    def __init__(
        self,
        make: Callable[..., Tensor],
        device: torch.device,
        precision: str,
        batches: Batches | None = None,
        replays: Replays | None = None,
    ) -> None:
        self.device, self.precision = device, precision
        self.batches = Batches(device.type) if batches is None else batches
        self._make, self._kind = make, HALF.get(precision)
        self._replays = Replays.on(device) if replays is None else replays

    def drawn(
        self,
        latents: np.ndarray,
        size: int,
        styles: Styles | Sequence[Styles] | None,
    ) -> Tensor:
        """See `DeviceGenerator.drawn`; latents (b, rows, width) float32."""
        width = latents.shape[2]
        if styles is None or not isinstance(styles, Sequence):
            extra, each = difference_arrays(styles, width), False
        else:
            of_each = [difference_arrays(one, width) for one in styles]
            extra, each = [np.stack(arrays) for arrays in zip(*of_each, strict=True)], True
        on_device = [sent(values, self.device) for values in extra]
        rows = sent(latents, self.device)

        def images(*inputs: Tensor) -> Tensor:
            return to_bytes(self._make(inputs[0], size, *inputs[1:]))

        def part(which: slice) -> Tensor:
            inputs = [rows[which], *(value[which] if each else value for value in on_device)]
            kind = self._kind
            with (
                torch.inference_mode(),
                # Without its cache: what it keeps of weights would be freed under a recording.
                torch.autocast(
                    self.device.type, dtype=kind, enabled=kind is not None, cache_enabled=False
                ),
            ):
                return self._replays.run((size, each), images, inputs)

        images_made: Any = self.batches.run((size, len(extra), each), len(latents), part)
        assert isinstance(images_made, Tensor)
        return images_made


def to_bytes(images: Tensor) -> Tensor:
    """(b, 3, h, w) in [-1, 1] → (b, h, w, 3) uint8 on the same device."""
    levels = ((images.float().clamp(-1, 1) + 1) * 127.5).round()
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
