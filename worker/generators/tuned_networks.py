"""Networks of which a person's tuning has moved the weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from .network import Network
from .tuning import WeightTuning


def tunable(network: Network) -> list[Tensor]:
    """The weights that a tuning may move."""
    return [value for name, value in network.named_parameters() if network.is_tunable(name)]


def tuned_network(network: Network, tuning: WeightTuning | None) -> Network:
    """A copy of the network with a tuning."""
    tuned = copy.deepcopy(network)
    weights = dict(tuned.named_parameters())
    with torch.no_grad():
        for name, delta in (tuning.deltas if tuning else {}).items():
            weights[name].add_(torch.from_numpy(delta).float().to(weights[name].device))
    return tuned


def tuning_between(network: Network, tuned: Network) -> WeightTuning:
    """What a tuned copy of a network has that the network has not."""
    after = dict(tuned.named_parameters())
    return WeightTuning(
        {
            name: (after[name].detach() - value).half().cpu().numpy()
            for name, value in network.named_parameters()
            if network.is_tunable(name)
        }
    )
