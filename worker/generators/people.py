"""People who do not exist, to train on and to test on; the same ones for the same seed."""

from __future__ import annotations

import torch
from torch import Tensor

from photorig.shared.errors import InputError

from .network import Network

TRAINING, HELD_OUT, EVALUATION = 0, 1, 2
"""Groups of people. EVALUATION is looked at in final measurements only, never to choose anything;
HELD_OUT has been looked at while choosing."""

_GROUPS = 16
_INDEX_BITS = 24
_LARGEST_SEED = 2**32 - 1


@torch.no_grad()
def person_latents(network: Network, index: int, seed: int, group: int = TRAINING) -> Tensor:
    """(n_rows, w_dim) latents of one person; truncation varies over [0.65, 0.95] among them.

    Args:
        index: which person; a person depends on nothing but index, seed and group.
        group: TRAINING, HELD_OUT or EVALUATION; no two of them share a person, whatever the seeds.

    Raises:
        InputError: an index, seed or group that would run into those of others.
    """
    generator = torch.Generator().manual_seed(person_seed(index, seed, group))
    z = torch.randn(1, network.z_dim, generator=generator)
    truncation = 0.65 + 0.3 * float(torch.rand((), generator=generator))
    return network.expand(network.map(z, truncation))[0].clone()


def person_seed(index: int, seed: int, group: int) -> int:
    """One number for each (index, seed, group). Raises InputError where one is out of range."""
    if not (0 <= index < 1 << _INDEX_BITS and 0 <= seed <= _LARGEST_SEED and 0 <= group < _GROUPS):
        raise InputError(
            f"There is no person {index} of group {group} with seed {seed}",
            f"Seeds go from 0 to {_LARGEST_SEED}.",
        )
    # At seed 0 the groups 0 and 1 are who they were when there were only these two.
    return ((seed * _GROUPS + group) << _INDEX_BITS) + index
