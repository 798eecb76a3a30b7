"""The stand-in actor: the mean face, who plays parameters to methods that need a picture.

A drive from Blender's curves is parameters alone. The direction matrix moves the mean face by them,
and its picture drives; at rest it is the mean face, so that only what changed counts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from photorig.worker.generators import Generator
from photorig.worker.portraits.portrait import Portrait

from .bundle import ModelBundle
from .method import Method
from .target import Drive, FacePicture, Target


class WithStandIn:
    """A method that needs a picture, given one where the drive has none."""

    def __init__(self, method: Method, bundle: ModelBundle, generator: Generator) -> None:
        self._method, self._bundle, self._generator = method, bundle, generator
        self._mean = generator.expand(generator.mean_latent[None])[0]
        self._rest = FacePicture.generated(self._mean, generator)

    def drive(self, portrait: Portrait, target: Target) -> Drive:
        if target.picture is None:
            actor = self._playing(portrait, target.shift)
            target = replace(target, picture=actor, rest=self._rest)
        return self._method.drive(portrait, target)

    def _playing(self, portrait: Portrait, shift: np.ndarray) -> FacePicture:
        """The mean face, moved as far as the portrait's own would be."""
        bundle = self._bundle
        motion = bundle.clamped_motion(bundle.motion_of(portrait, shift))
        return FacePicture.generated(bundle.shifted(self._mean, motion), self._generator)
