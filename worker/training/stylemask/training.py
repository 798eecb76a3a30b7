"""What StyleMask's masks have to learn, with the paper's losses and its cycle."""

from __future__ import annotations

import torch
from torch import Tensor

from photorig.worker.reenactment.mask_networks import MaskNetworks

from ..performances import Observers, Performances, rendered
from ..reenactment_loss import ReenactmentLoss
from ..two_stages import MatrixTeacher, draw_pairs

OWN = 0.125
"""How often the driver is the source's own person."""
CYCLE = 0.33
"""How often pictures go through the cycle."""


class MaskObjective:
    """Implements `Objective`: masks that do in StyleSpace what the matrix does in W+, as near as
    factors of source and driver can be mixed; then what pictures show."""

    def __init__(
        self,
        networks: MaskNetworks,
        observers: Observers,
        people: Performances,
        teacher: MatrixTeacher,
        loss: ReenactmentLoss,
    ) -> None:
        self._networks, self._observers, self._people = networks, observers, people
        self._teacher, self._loss = teacher, loss
        self._styles, self._read_styles = (
            _styles(observers, latents) for latents in (people.latents, people.codes)
        )
        self._usual = self._styles.std(0).clamp_min(1e-3)

    def matrix_terms(self, count: int, random: torch.Generator) -> dict[str, Tensor]:
        source, driver = draw_pairs(self._people, count, OWN, random)
        shift = self._teacher.shift(source, driver)
        network = self._observers.network
        none = shift.new_zeros(count, network.n_rows, network.w_dim)
        moved_rows = torch.cat([shift, none[:, shift.shape[1] :]], 1)
        wanted = network.styles(moved_rows) - network.styles(none)
        moved = self._networks.offsets(self._styles[source], self._driven_by(driver, random))
        return {"matrix": ((moved - wanted) / self._usual).square().mean()}

    def picture_terms(self, count: int, random: torch.Generator) -> dict[str, Tensor]:
        source, driver = draw_pairs(self._people, count, OWN, random)
        styles = self._styles[source]
        moved = styles + self._networks.offsets(styles, self._driven_by(driver, random))
        if float(torch.rand((), generator=random)) < CYCLE:
            # From the mixed factors on to a third face: who it is must survive that, too.
            _, driver = draw_pairs(self._people, count, OWN, random)
            moved = moved + self._networks.offsets(moved, self._driven_by(driver, random))
        latents = self._people.latents[source]
        images = rendered(self._observers.network, latents, moved - styles)
        wanted = self._loss.wanted(self._people, source, driver)
        return self._loss.of(images, self._loss.seen(images, wanted), wanted)

    def _driven_by(self, driver: Tensor, random: torch.Generator) -> Tensor:
        """Factors (b, n) of drivers: their own, or what the photo encoder reads of their picture,
        which is all that is known of a driver in a recording."""
        is_read = torch.rand(len(driver), 1, generator=random) < 0.5
        return torch.where(is_read, self._read_styles[driver], self._styles[driver])


@torch.no_grad()
def _styles(observers: Observers, latents: Tensor) -> Tensor:
    """(n, s) factors of latents (n, n_rows, w_dim)."""
    return torch.cat([observers.network.styles(some) for some in latents.split(100)])
