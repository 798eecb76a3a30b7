"""Method ``transfer``: two encoders and a mapper.

The mapper is linear, so what a driver adds to a code is a sum of its own. What the picture of rest
adds is taken off: a source at rest is its photo, whoever drives it.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch

from photorig.worker.faces.landmarker import FaceLandmarker, load_landmarker
from photorig.worker.generators import Generator
from photorig.worker.portraits.portrait import Portrait

from .bundle import ModelBundle
from .method import MethodEntry, weights_for
from .target import Drive, FacePicture, Target
from .transfer_networks import (
    MODEL,
    WEIGHTS_FILE,
    TransferNetworks,
    aligned_landmarks,
    read_transfer_networks,
)


class Transfer:
    """w_r = w_s + M_m (E_m(picture) − E_m(rest))."""

    def __init__(self, networks: TransferNetworks, landmarker: FaceLandmarker) -> None:
        self._networks, self._landmarker = networks, landmarker
        self._known: WeakKeyDictionary[FacePicture, np.ndarray | None] = WeakKeyDictionary()

    def drive(self, portrait: Portrait, target: Target) -> Drive:
        assert target.picture is not None and target.rest is not None
        shown, at_rest = self._motion(target.picture), self._motion(target.rest)
        if shown is None or at_rest is None:  # no face is seen: nothing to put on
            return Drive(portrait.latents)
        added = np.float32(target.strength) * (shown - at_rest)
        return Drive(portrait.latents + added)

    def _motion(self, picture: FacePicture) -> np.ndarray | None:
        """(n_rows, w_dim) what a picture adds to a code; None where no face is found in it."""
        if picture not in self._known:
            crop = torch.from_numpy(picture.crop.astype(np.float32) / 255).permute(2, 0, 1)[None]
            landmarks, found = aligned_landmarks(self._landmarker, crop)
            with torch.no_grad():
                motion = self._networks.motion_part(landmarks)[0].numpy()
            self._known[picture] = motion if bool(found[0]) else None
        return self._known[picture]


def _load(bundle: ModelBundle, generator: Generator) -> Transfer:
    path = weights_for(generator.name, MODEL, WEIGHTS_FILE)
    networks = read_transfer_networks(path, generator.n_rows, generator.w_dim)
    return Transfer(networks, load_landmarker())


METHOD = MethodEntry(
    "transfer",
    "Encodes what a driver's picture does, and adds it to who is driven; for recordings.",
    _load,
    models=(MODEL,),
    needs_picture=True,
)
