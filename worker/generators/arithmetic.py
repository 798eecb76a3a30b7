"""How fast a device could be: the products an image needs, over the most it was seen to make."""

from __future__ import annotations

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from .network import Network

_SIDES = {"cuda": (4096, 8192), "mps": (2048, 4096), "cpu": (1024, 2048)}
"""Of the matrices that are multiplied; the fastest product counts."""

_REPEATS = 5
_TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def products(network: Network, size: int) -> float:
    """Multiply-accumulates of one image, counted on the network itself without computing it.

    Args:
        network: is of no use for anything else afterwards.
    """
    network = network.to("meta")
    latents = torch.zeros(1, network.n_rows, network.w_dim, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(latents, size)
    return counter.get_total_flops() / 2


def products_per_second(device: str, precision: str) -> float:
    """The most multiply-accumulates a second that a device made of large matrix products."""
    place, kind = torch.device(device), _TYPES[precision]
    best = 0.0
    for side in _SIDES.get(device, _SIDES["cpu"]):
        matrix = torch.randn(side, side, device=place).to(kind)
        matrix @ matrix  # the first one chooses its kernel
        for _ in range(_REPEATS):
            _wait(place)
            start = time.perf_counter()
            matrix @ matrix
            _wait(place)
            best = max(best, side**3 / (time.perf_counter() - start))
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
