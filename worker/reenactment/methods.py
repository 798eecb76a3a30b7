"""Methods: ways from (portrait, parameter shift) to latent codes. ``directions`` is the first.

What the further photos of a portrait add (references.py) they add to every method alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from photorig.shared.errors import InputError
from photorig.worker.portraits.portrait import Portrait

from .bundle import ModelBundle
from .references import WithReferences


class Method(Protocol):
    """A pure function from a portrait and a parameter shift to W+ latents."""

    def drive(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        """Δp (n,) float32, within the bundle's range for this portrait, to the latents
        (n_rows, 512) float32 to render."""
        ...

    def tilt(self, portrait: Portrait, shift: np.ndarray) -> float:
        """Degrees of headRoll that come along unasked, to be taken back in the picture."""
        ...


class Directions:
    """w_r = w_s + A·m(Δp): 'Finding Directions in GAN's Latent Space for Neural Face Reenactment'
    with a monotone curve m for each parameter (bundle.py)."""

    def __init__(self, bundle: ModelBundle) -> None:
        self._bundle = bundle

    def drive(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        motion = self._bundle.motion(portrait.parameters, shift)
        return self._bundle.shifted(portrait.latents, self._bundle.bearable(motion))

    def tilt(self, portrait: Portrait, shift: np.ndarray) -> float:
        return 0.0


class Calibrated:
    """Directions, corrected by what this portrait's face was seen to do (portraits/response.py).

    A portrait that was not measured with this bundle is driven as by ``directions``.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        self._bundle = bundle

    def drive(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        return self._bundle.shifted(portrait.latents, self._motion(portrait, shift))

    def tilt(self, portrait: Portrait, shift: np.ndarray) -> float:
        response = self._bundle.response_of(portrait)
        if response is None:
            return 0.0
        return response.tilt(self._motion(portrait, shift), self._bundle.head_angles)

    def _motion(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        bundle, response = self._bundle, self._bundle.response_of(portrait)
        motion = bundle.motion(portrait.parameters, shift)
        if response is not None:
            motion = response.give(motion, bundle.head_angles)
        return bundle.bearable(motion)


METHODS: dict[str, Callable[[ModelBundle], Method]] = {
    "directions": Directions,
    "calibrated": Calibrated,
}


def load_method(name: str, bundle: ModelBundle) -> Method:
    """The method of that name; it heeds references. Raises InputError where there is none."""
    if name not in METHODS:
        names = " or ".join(repr(known) for known in METHODS)
        raise InputError(f"There is no method {name!r}", f"Use {names}.")
    return WithReferences(METHODS[name](bundle), bundle)
