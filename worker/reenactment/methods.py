"""Methods: ways from (portrait, parameter shift) to latent codes. ``regional`` is the default.

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
from .regional import FaceDrive, driver_of
from .regional_controls import RegionalShifts


class Method(Protocol):
    """A pure function from a portrait and a parameter shift to W+ latents."""

    def drive(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        """Δp (n,) float32, within the bundle's range for this portrait, to the latents
        (n_rows, 512) float32 to render."""
        ...

    def tilt(self, portrait: Portrait, shift: np.ndarray) -> float:
        """Degrees of headRoll that come along unasked, to be taken back in the picture."""
        ...

    def face(self, portrait: Portrait, shift: np.ndarray) -> FaceDrive | None:
        """What regions of the face do beyond the latents; None where the latents are all."""
        ...


class Directions:
    """w_r = w_s + A·m(Δp): 'Finding Directions in GAN's Latent Space for Neural Face Reenactment'
    with a monotone curve m for each parameter (bundle.py)."""

    def __init__(self, bundle: ModelBundle) -> None:
        self._bundle = bundle

    def drive(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        motion = self._bundle.motion_of(portrait, shift)
        return self._bundle.shifted(portrait.latents, self._bundle.bearable(motion))

    def tilt(self, portrait: Portrait, shift: np.ndarray) -> float:
        return 0.0

    def face(self, portrait: Portrait, shift: np.ndarray) -> FaceDrive | None:
        return None


class Calibrated:
    """Directions, corrected by what this portrait's face was seen to do (portraits/response.py).

    A portrait that was not measured with this bundle is driven as by ``directions``.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        self._bundle = bundle

    def drive(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        return self._bundle.shifted(portrait.latents, self.motion(portrait, shift))

    def tilt(self, portrait: Portrait, shift: np.ndarray) -> float:
        response = self._bundle.response_of(portrait)
        if response is None:
            return 0.0
        return response.tilt(self.motion(portrait, shift), self._bundle.head_angles)

    def face(self, portrait: Portrait, shift: np.ndarray) -> FaceDrive | None:
        return None

    def motion(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        """(n,) motion that this face is given for Δp (n,)."""
        return self.motion_to_read(portrait, self._bundle.read_change(portrait, shift))

    def motion_to_read(self, portrait: Portrait, change: np.ndarray) -> np.ndarray:
        """(n,) motion after which Net3D should read ``change`` (n,) more of this face."""
        bundle, response = self._bundle, self._bundle.response_of(portrait)
        motion = bundle.motion(portrait.parameters, change)
        if response is not None:
            motion = response.give(motion, bundle.head_angles)
        return bundle.bearable(motion)


class Regional:
    """Pose as by `Calibrated`; expressions region by region, brought to the person's own mesh
    (regional.py). A portrait whose geometry was not measured is driven as by ``calibrated``.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        self._bundle = bundle
        self._calibrated = Calibrated(bundle)
        self._shifts = RegionalShifts(bundle)

    def drive(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        return self._calibrated.drive(portrait, self._global_part(portrait, shift))

    def tilt(self, portrait: Portrait, shift: np.ndarray) -> float:
        return self._calibrated.tilt(portrait, self._global_part(portrait, shift))

    def face(self, portrait: Portrait, shift: np.ndarray) -> FaceDrive | None:
        driver = driver_of(portrait, self._shifts)
        if driver is None:
            return None
        motion = self._calibrated.motion(portrait, self._global_part(portrait, shift))
        return driver.drive(motion[list(self._bundle.head_angles)], shift)

    def _global_part(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        """(n,) what of Δp moves the whole code."""
        if driver_of(portrait, self._shifts) is None:
            return shift
        return np.where(self._bundle.is_coefficient, np.float32(0), shift)


REGIONAL = "regional"
METHODS: dict[str, Callable[[ModelBundle], Method]] = {
    "directions": Directions,
    "calibrated": Calibrated,
    REGIONAL: Regional,
}


def load_method(name: str, bundle: ModelBundle) -> Method:
    """The method of that name; it heeds references. Raises InputError where there is none."""
    if name not in METHODS:
        names = " or ".join(repr(known) for known in METHODS)
        raise InputError(f"There is no method {name!r}", f"Use {names}.")
    return WithReferences(METHODS[name](bundle), Calibrated(bundle), bundle)
