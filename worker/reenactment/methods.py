"""Methods: ways from (portrait, parameter shift) to latent codes. ``directions`` is the first."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from photorig.shared.errors import InputError
from photorig.worker.portraits.portrait import Portrait

from .bundle import ModelBundle


class Method(Protocol):
    """A pure function from a portrait and a parameter shift to W+ latents."""

    def drive(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        """Δp (n,) float32 to the latents (n_rows, 512) float32 to render."""
        ...


class Directions:
    """w_r = w_s + A·Δp: 'Finding Directions in GAN's Latent Space for Neural Face Reenactment'."""

    def __init__(self, bundle: ModelBundle) -> None:
        self._directions = bundle.directions

    def drive(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        latents = portrait.latents.astype(np.float32, copy=True)
        # A fixed order of summation keeps the bytes of a frame the same on every call.
        latent_shift = np.einsum("k,krd->rd", shift, self._directions, optimize=False)
        latents[: len(latent_shift)] += latent_shift
        return latents


def load_method(name: str, bundle: ModelBundle) -> Method:
    """The method of that name. Raises InputError for a name there is none of."""
    if name != "directions":
        raise InputError(f"There is no method {name!r}", "Use 'directions'.")
    return Directions(bundle)
