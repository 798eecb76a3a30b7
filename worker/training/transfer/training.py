"""What motion encoder and mapper have to learn: to reconstruct, and to put on somebody else.

As the paper does it, half of all pairs are two frames of one person, where the driver itself is the
truth, and half are two people, whose picture must show the one's motion and the other's identity.
"""

from __future__ import annotations

import torch
from torch import Tensor

from photorig.worker.faces.recognition import map_distance
from photorig.worker.reenactment.transfer_networks import TransferNetworks

from ..performances import FRAMES, SIDE, Observers, Performances, rendered
from ..reenactment_loss import ReenactmentLoss
from ..two_stages import MatrixTeacher, draw_pairs

OWN = 0.5
PIXELS, PERCEPTUAL, CONSISTENCY = 4.0, 4.0, 1.0
"""Weights of pixels and of perceptual distance to the truth, and of the motion encoder's own view
of the cross picture."""
_NOISE = 0.002
"""Sides of the square: how unsurely landmarks and alignments are known."""


class TransferObjective:
    """Implements `Objective`."""

    def __init__(
        self,
        networks: TransferNetworks,
        observers: Observers,
        people: Performances,
        teacher: MatrixTeacher,
        loss: ReenactmentLoss,
    ) -> None:
        self._networks, self._observers, self._people = networks, observers, people
        self._teacher, self._loss = teacher, loss
        self._landmarks = people.landmarks / SIDE
        self._usual = observers.network.latent_std
        flat = self._landmarks[people.found].flatten(1)
        networks.motion.mean.copy_(flat.mean(0))
        networks.motion.scale.copy_(1 / flat.std(0).clamp_min(1e-3))

    def matrix_terms(self, count: int, random: torch.Generator) -> dict[str, Tensor]:
        source, driver, identity = self._pairs(count, random)
        shift = self._teacher.shift(source, driver)
        wanted = self._people.latents[source].clone()
        wanted[:, : shift.shape[1]] += shift
        own = (source // FRAMES == driver // FRAMES)[:, None, None]
        wanted = torch.where(own, self._people.latents[driver], wanted)
        made = self._networks(self._shown(driver, random), self._shown(source, random), identity)
        return {"matrix": ((made - wanted) / self._usual).square().mean()}

    def picture_terms(self, count: int, random: torch.Generator) -> dict[str, Tensor]:
        source, driver, identity = self._pairs(count, random)
        shown = self._shown(driver, random)
        latents = self._networks(shown, self._shown(source, random), identity)
        images = rendered(self._observers.network, latents)
        wanted = self._loss.wanted(self._people, source, driver)
        seen = self._loss.seen(images, wanted)
        terms = self._loss.of(images, seen, wanted)
        again = self._networks.motion(seen.landmarks_px / SIDE)
        meant = self._networks.motion(shown).detach()
        terms["consistency"] = CONSISTENCY * (again - meant).abs().mean()
        own = source // FRAMES == driver // FRAMES
        if bool(own.any()):
            truth = self._people.images[driver[own]].float() / 255
            terms["pixels"] = PIXELS * (images[own] - truth).square().mean().sqrt()
            terms["perceptual"] = PERCEPTUAL * self._apart(images[own], truth, driver[own])
        return terms

    def _pairs(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Frames of sources and drivers, and codes (b, n_rows, w_dim) that say who the sources are:
        their own, as a fitted portrait's would be."""
        source, driver = draw_pairs(self._people, count, OWN, random)
        return source, driver, self._people.latents[source]

    def _shown(self, driver: Tensor, random: torch.Generator) -> Tensor:
        """(b, 478, 3) landmarks, as surely as they are known of a recording."""
        landmarks = self._landmarks[driver]
        placed = _NOISE * 2 * torch.randn(len(driver), 1, 3, generator=random)
        return landmarks + placed + _NOISE / 4 * torch.randn(landmarks.shape, generator=random)

    def _apart(self, images: Tensor, truth: Tensor, driver: Tensor) -> Tensor:
        """() perceptual distance of faces, by maps of face recognition."""
        landmarks = self._people.landmarks[driver]
        features_of = self._observers.recognition.face_features
        return map_distance(features_of(images, landmarks), features_of(truth, landmarks))
