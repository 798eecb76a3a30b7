"""Several photos of one person: where the face is as one of them shows it, it looks as in that one.

A method drives the code of the portrait's own photo. Driven to what another photo shows, it should
end at the code of that photo, and misses it by what the first photo did not tell. This difference
is added as far as the target is like the other photo: corrective shapes, as in pose space
deformation (Lewis, Cordner and Fong 2000), between Shepard's interpolation weights. Put the other
way round: each code is moved to the common target pose by the method's own drive before all of them
are averaged (the idea of Yashima et al. 2022, in the form of docs/algorithms.md).

The weights are smooth functions of the target alone: 1 for the portrait's own photo at rest, so
rest is the photo, and almost 1 for a reference where the target is what that reference shows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from photorig.shared.parameters.arkit_amounts import amounts_of
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.reference import Reference

from .bundle import ModelBundle
from .method import Method
from .target import Drive, Target

REACH = 1.0
"""How far a photo counts: a turn by 15°, or the longest expression that the bundle bears. What real
faces show is up to five of these from rest."""
NEAREST = 0.2
"""Differences below this are within what measuring a face varies by."""


class WithReferences:
    """A method that heeds the further photos of a portrait; without any it is the method alone.

    Args:
        whole: says which code a reference would be expected to have: a method that moves the whole
            code, as references are whole codes.
    """

    def __init__(self, method: Method, whole: Method, bundle: ModelBundle) -> None:
        self._method, self._whole, self._bundle = method, whole, bundle
        # As lengths in W+ expressions are several times what turns are, and much of it is noise.
        self._units = np.where(bundle.is_coefficient, 1 / bundle.longest_expression, 1.0)

    def drive(self, portrait: Portrait, target: Target) -> Drive:
        drive = self._method.drive(portrait, target)
        latents, tilt = drive.latents, drive.tilt
        roll = self._bundle.schema.index["headRoll"]
        for weight, there, reference in self._weighted(portrait, target.shift):
            expected = self._whole.drive(portrait, Target(there))
            latents = latents + np.float32(weight) * (reference.latents - expected.latents)
            seen = float(reference.parameters[roll] - portrait.parameters[roll])
            tilt += float(weight) * (seen - expected.tilt)
        return replace(drive, latents=latents, tilt=tilt)

    def _weighted(
        self, portrait: Portrait, shift: np.ndarray
    ) -> list[tuple[float, np.ndarray, Reference]]:
        """Weight, Δp (n,) to what it shows, and the reference, of all that count."""
        if not portrait.references or not shift.any():
            return []
        bundle = self._bundle
        ways = [
            bundle.within_range(portrait, amounts_of(reference.parameters) - portrait.shown)
            for reference in portrait.references
        ]
        target = bundle.motion_of(portrait, shift)
        places = np.stack([bundle.motion_of(portrait, way) for way in ways])
        weights = reference_weights(target * self._units, places * self._units, bundle.shift_gram)
        together = zip(map(float, weights), ways, portrait.references, strict=True)
        return [one for one in together if one[0] > 0]


def reference_weights(target: np.ndarray, places: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """(k,) weights of references at motions ``places`` (k, n) for a target motion (n,).

    What is left to 1 is the weight of the portrait's own photo, which is at no motion. Distances
    are lengths by the Gram matrix (n, n) of the directions.
    """
    away = _squared_length(target[None] - places, gram) + NEAREST**2
    own = float(_squared_length(target[None], gram)[0])
    # With the nearest photo's part taken out, none of these can vanish all at once.
    nearest = min(own, float(away.min()))
    near = np.exp((nearest - away) / (2 * REACH**2)) / away * own
    near_own = np.exp((nearest - own) / (2 * REACH**2))
    return np.asarray(near / (near_own + near.sum()))


def _squared_length(motions: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """(k,) of motions (k, n)."""
    motions = motions.astype(np.float64)
    lengths = np.einsum("ki,ij,kj->k", motions, gram.astype(np.float64), motions, optimize=False)
    return np.maximum(lengths, 0.0)
