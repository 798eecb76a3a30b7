"""What a fit goes through: the network, what looks at its pictures, and the run of one fit."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from photorig.worker.faces.attributes import load_attributes
from photorig.worker.faces.landmarker import load_landmarker
from photorig.worker.faces.recognition import load_recognition
from photorig.worker.faces.segmentation import Matte, PersonMatte
from photorig.worker.generators import DEFAULT, load_network
from photorig.worker.generators.latent_distribution import LatentDistribution
from photorig.worker.generators.loading import compute_device
from photorig.worker.generators.network import Network
from photorig.worker.reenactment.bundle import ModelBundle, generator_of, load_bundle

from .encoder import FirstGuess, load_first_guess
from .losses import LossNetworks
from .settings import FitSettings


@dataclass(frozen=True)
class FitModels:
    """What a fit looks through; frozen.

    Attributes:
        bundle: whose motions a tuned face has to keep.
    """

    network: Network
    distribution: LatentDistribution
    first_guess: FirstGuess
    losses: LossNetworks
    matte: Matte
    bundle: ModelBundle

    def latents(self, values: np.ndarray) -> Tensor:
        """(1, n_rows, w_dim) where the network computes, of latents (n_rows, w_dim)."""
        return torch.from_numpy(values)[None].to(self.network.mean_latent.device)


@dataclass(frozen=True)
class FitRun:
    """One fit.

    Attributes:
        on_step: called with the loss after each step; what it raises ends the fit.
    """

    models: FitModels
    settings: FitSettings
    on_step: Callable[[float], None] = lambda loss: None


def load_fit_models(bundle: str = DEFAULT, device: str = "cpu") -> FitModels:
    """A bundle's network and those who look at its images, all on one device.

    Args:
        device: auto, cpu, cuda or mps.

    Raises:
        ModelError: a model cannot be had. InputError: the device is not there.
    """
    place = compute_device(device)
    with ThreadPoolExecutor(1) as beside:  # a quick fit takes hardly longer than its models
        loading = beside.submit(_load_loss_networks)
        network = load_network(generator_of(bundle)).to(place)
        encoding = beside.submit(load_first_guess, bundle, network)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        distribution = LatentDistribution(network)
        matrix = load_bundle(bundle)
        losses, first_guess = loading.result().placed_on(place), encoding.result()
    return FitModels(network, distribution, first_guess, losses, PersonMatte(), matrix)


def _load_loss_networks() -> LossNetworks:
    return LossNetworks(load_landmarker(), load_recognition(), load_attributes())
