"""Method ``calibrated``: directions, corrected by what this face was seen to do."""

from __future__ import annotations

import numpy as np

from photorig.worker.portraits.portrait import Portrait

from .bundle import ModelBundle
from .method import MethodEntry
from .target import Drive, Target


class Calibrated:
    """Directions, corrected by what this portrait's face was seen to do (portraits/response.py).

    A portrait that was not measured with this bundle is driven as by ``directions``.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        self._bundle = bundle

    def drive(self, portrait: Portrait, target: Target) -> Drive:
        return self.moved(portrait, self.motion(portrait, target.shift))

    def moved(self, portrait: Portrait, motion: np.ndarray) -> Drive:
        """The whole code moved by a motion (n,)."""
        response = self._bundle.response_of(portrait)
        tilt = 0.0 if response is None else response.tilt(motion, self._bundle.head_angles)
        return Drive(self._bundle.shifted(portrait.latents, motion), tilt=tilt)

    def motion(self, portrait: Portrait, shift: np.ndarray) -> np.ndarray:
        """(n,) motion that this face is given for Δp (n,)."""
        return self.motion_to_read(portrait, self._bundle.read_change(portrait, shift))

    def motion_to_read(self, portrait: Portrait, change: np.ndarray) -> np.ndarray:
        """(n,) motion after which Net3D should read ``change`` (n,) more of this face."""
        bundle, response = self._bundle, self._bundle.response_of(portrait)
        motion = bundle.motion(portrait.parameters, change)
        if response is not None:
            motion = response.give(motion, bundle.head_angles)
        return bundle.clamped_motion(motion)


METHOD = MethodEntry(
    "calibrated",
    "Moves the whole code, corrected by how this person's face was seen to answer.",
    lambda bundle, generator: Calibrated(bundle),
)
