"""Method ``directions``: the direction matrix as it is."""

from __future__ import annotations

from photorig.worker.portraits.portrait import Portrait

from .bundle import ModelBundle
from .method import MethodEntry
from .target import Drive, Target


class Directions:
    """w_r = w_s + A·m(Δp): 'Finding Directions in GAN's Latent Space for Neural Face Reenactment'
    with a monotone curve m for each parameter (bundle.py)."""

    def __init__(self, bundle: ModelBundle) -> None:
        self._bundle = bundle

    def drive(self, portrait: Portrait, target: Target) -> Drive:
        motion = self._bundle.motion_of(portrait, target.shift)
        return Drive(self._bundle.shifted(portrait.latents, self._bundle.clamped_motion(motion)))


METHOD = MethodEntry(
    "directions",
    "Moves the whole code along directions learned for the average face; nothing is measured.",
    lambda bundle, generator: Directions(bundle),
)
