"""Method ``stylemask``: factors of another face's picture, mixed in where its motion sits.

The paper's rule gives the driver's motion as it is, and moves a face at rest as well where driver
and source differ. Here what the picture of rest would give is taken off, so that rest is the photo:
with the driver's first frame for it, a recording's changes are put on; with the source itself,
which drives itself nowhere, the rule is the paper's own.
"""

from __future__ import annotations

import numpy as np
import torch

from photorig.worker.generators import Generator
from photorig.worker.generators.style_space import StyleOffsets
from photorig.worker.portraits.portrait import Portrait

from .bundle import ModelBundle
from .mask_networks import MODEL, WEIGHTS_FILE, MaskNetworks, read_mask_networks
from .method import MethodEntry, weights_for
from .target import Drive, FacePicture, Target


class StyleMask:
    """s_r = s_s + m(s_s − s_t) (s_t − s_s), less the same of the picture of rest."""

    def __init__(self, networks: MaskNetworks, generator: Generator) -> None:
        self._networks, self._generator = networks, generator

    def drive(self, portrait: Portrait, target: Target) -> Drive:
        assert target.picture is not None and target.rest is not None
        source = self._styles(portrait.latents)
        moved = self._given(source, target.picture) - self._given(source, target.rest)
        return Drive(portrait.latents, StyleOffsets(np.float32(target.strength) * moved))

    def _given(self, source: torch.Tensor, picture: FacePicture) -> np.ndarray:
        """(n,) what a picture's factors add to the source's (1, n)."""
        with torch.no_grad():
            offsets = self._networks.offsets(source, self._styles(picture.code))
        return offsets[0].numpy()

    def _styles(self, code: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self._generator.styles(code[None]))


def _load(bundle: ModelBundle, generator: Generator) -> StyleMask:
    path = weights_for(generator.name, MODEL, WEIGHTS_FILE)
    return StyleMask(read_mask_networks(path, generator.style_rows), generator)


METHOD = MethodEntry(
    "stylemask",
    "Mixes in what a picture of another face shows, factor by factor; for recordings.",
    _load,
    models=(MODEL,),
    needs_picture=True,
)
