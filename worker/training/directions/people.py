"""People who do not exist, to train on and to test on; the same ones for the same seed."""

from __future__ import annotations

import torch
from torch import Tensor

from photorig.worker.generators.mobile_stylegan import MobileStyleGAN

TRAINING, HELD_OUT = 0, 1


@torch.no_grad()
def person_latents(network: MobileStyleGAN, index: int, seed: int, group: int = TRAINING) -> Tensor:
    """(16, 512) latents of one person; truncation varies over [0.65, 0.95] from person to person.

    Args:
        index: which person; a person depends on nothing but index, seed and group.
        group: TRAINING or HELD_OUT; the two share no person.
    """
    generator = torch.Generator().manual_seed(((seed * 2 + group) << 24) + index)
    z = torch.randn(1, 512, generator=generator)
    truncation = 0.65 + 0.3 * float(torch.rand((), generator=generator))
    return network.expand(network.map(z, truncation))[0].clone()
