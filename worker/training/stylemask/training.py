"""Two stages: masks that do in StyleSpace what the direction matrix does in W+, then pictures.

The paper goes through pictures from the start, 100,000 times twelve of them. The first stage here
needs none: where the direction matrix would take the source's factors is known in closed form, and
the masks learn to be as near to that as factors of source and driver can be mixed. What pictures
show is left to the second stage, with the paper's losses and its cycle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from photorig.worker.reenactment.bundle import ModelBundle
from photorig.worker.reenactment.mask_networks import MaskNetworks

from ..performances import FRAMES, Observers, Performances, rendered
from .losses import ReenactmentLoss, Wanted, surroundings


@dataclass(frozen=True)
class StyleMaskSettings:
    """How to train.

    Attributes:
        matrix_steps, matrix_batch, matrix_rate: the first stage, by the direction matrix.
        picture_steps, picture_batch, picture_rate: the second, through pictures.
        cycle: how often a step of the second goes through the cycle.
        weight_decay: as in the paper.
    """

    matrix_steps: int = 3000
    matrix_batch: int = 48
    matrix_rate: float = 1e-3
    picture_steps: int = 1200
    picture_batch: int = 4
    picture_rate: float = 1e-4
    cycle: float = 0.33
    weight_decay: float = 5e-4


class StyleMaskTraining:
    """Everything a run has in hand.

    Args:
        state: file in which a stopped run left what it had learned.
    """

    def __init__(
        self,
        observers: Observers,
        bundle: ModelBundle,
        people: Performances,
        networks: MaskNetworks,
        settings: StyleMaskSettings,
        seed: int,
        state: Path,
    ) -> None:
        self._observers, self._bundle, self._people = observers, bundle, people
        self.networks, self._settings, self._seed, self._state = networks, settings, seed, state
        self._styles, self._read_styles = (
            _styles(observers, latents) for latents in (people.latents, people.codes)
        )
        self._usual = self._styles.std(0).clamp_min(1e-3)
        curves = [bundle.curve(row) for row in people.parameters.numpy()]
        self._curves = np.stack(curves)

    def run(self, loss: ReenactmentLoss, say: Callable[[str], None]) -> None:
        """Both stages, from wherever the last run was stopped."""
        settings = self._settings
        total = settings.matrix_steps + settings.picture_steps
        optimiser = torch.optim.Adam(
            self.networks.parameters(),
            lr=settings.matrix_rate,
            weight_decay=settings.weight_decay,
        )
        for step in range(self._restore(optimiser), total):
            random = torch.Generator().manual_seed((self._seed << 32) + step)
            terms = self._step(step, random, loss)
            optimiser.param_groups[0]["lr"] = self._rate(step)
            optimiser.zero_grad()
            value = torch.stack(list(terms.values())).sum()
            if bool(torch.isfinite(value)):
                value.backward()
                torch.nn.utils.clip_grad_norm_(self.networks.parameters(), 1.0)
                optimiser.step()
            is_picture = step >= settings.matrix_steps
            if step % (10 if is_picture else 200) == 0:
                values = ", ".join(
                    f"{name} {float(term.detach()):.3f}" for name, term in terms.items()
                )
                say(f"step {step} of {total}: {values}")
            if (step + 1) % (25 if is_picture else 500) == 0:
                self._save(step + 1, optimiser)

    def _rate(self, step: int) -> float:
        """Falls to a tenth along a cosine in each stage."""
        settings, part = self._settings, step / self._settings.matrix_steps
        rate = settings.matrix_rate
        if step >= settings.matrix_steps:
            part = (step - settings.matrix_steps) / settings.picture_steps
            rate = settings.picture_rate
        return rate * (0.55 + 0.45 * math.cos(math.pi * min(part, 1)))

    def _step(self, step: int, random: torch.Generator, loss: ReenactmentLoss) -> dict[str, Tensor]:
        settings = self._settings
        if step < settings.matrix_steps:
            return {
                "matrix": self._matrix_loss(*self._pairs(settings.matrix_batch, random), random)
            }
        source, driver = self._pairs(settings.picture_batch, random)
        if float(torch.rand((), generator=random)) < settings.cycle:
            return self._cycle_loss(source, driver, random, loss)
        offsets = self.networks.offsets(self._styles[source], self._driven_by(driver, random))
        return self._picture_loss(source, driver, offsets, loss)

    def _pairs(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Frames of sources and of drivers; every eighth driver is the source itself moved."""
        usable = torch.nonzero(self._people.found)[:, 0]
        source = usable[torch.randint(len(usable), (count,), generator=random)]
        driver = usable[torch.randint(len(usable), (count,), generator=random)]
        own = source - source % FRAMES + torch.randint(FRAMES, (count,), generator=random)
        same = (torch.rand(count, generator=random) < 0.125) & self._people.found[own]
        return source, torch.where(same, own, driver)

    def _driven_by(self, driver: Tensor, random: torch.Generator) -> Tensor:
        """Factors (b, n) of drivers: their own, or what the photo encoder reads of their picture,
        which is all that is known of a driver in a recording."""
        is_read = torch.rand(len(driver), 1, generator=random) < 0.5
        return torch.where(is_read, self._read_styles[driver], self._styles[driver])

    def _matrix_loss(self, source: Tensor, driver: Tensor, random: torch.Generator) -> Tensor:
        """How far the mixed factors are from where the direction matrix takes the source's."""
        bundle, affines = self._bundle, self._observers.network.style_affines
        change = self._curves[driver] - self._curves[source]
        change = np.where(bundle.moves_latents, change, 0).astype(np.float32)
        motion = torch.from_numpy(np.stack([bundle.bearable(one) for one in change]))
        shift = torch.einsum("bk,krd->brd", motion, torch.from_numpy(bundle.directions))
        rows = [(row, affine) for row, of_row in enumerate(affines) for affine in of_row]
        none = torch.zeros(len(source), 512)
        wanted = [
            (shift[:, row] if row < shift.shape[1] else none) @ affine.weight.T
            for row, affine in rows
        ]
        moved = self.networks.offsets(self._styles[source], self._driven_by(driver, random))
        return ((moved - torch.cat(wanted, 1)) / self._usual).square().mean()

    def _picture_loss(
        self, source: Tensor, driver: Tensor, offsets: Tensor, loss: ReenactmentLoss
    ) -> dict[str, Tensor]:
        people = self._people
        images = rendered(self._observers.network, people.latents[source], offsets)
        taken = loss.expression(people.parameters[source])
        given = loss.expression(people.parameters[driver])
        before = people.images[source].float() / 255
        wanted = Wanted(
            people.parameters[driver],
            people.aligned[source] - taken + given,
            people.identity[source],
            surroundings(before),
            people.regions[driver],
        )
        return loss.of(images, wanted)

    def _cycle_loss(
        self, source: Tensor, driver: Tensor, random: torch.Generator, loss: ReenactmentLoss
    ) -> dict[str, Tensor]:
        """From the mixed factors on to a third face: who it is must survive that, too."""
        _, third = self._pairs(len(source), random)
        styles = self._styles
        first = styles[source]
        first = first + self.networks.offsets(first, self._driven_by(driver, random))
        again = first + self.networks.offsets(first, self._driven_by(third, random))
        again = again - styles[source]
        return self._picture_loss(source, third, again, loss)

    def _restore(self, optimiser: torch.optim.Adam) -> int:
        try:
            saved = load_file(self._state)
        except (FileNotFoundError, SafetensorError):
            return 0
        self.networks.load_state_dict(_with(saved, "network."))
        for number, parameter in enumerate(self.networks.parameters()):
            state = _with(saved, f"adam.{number}.")
            optimiser.state[parameter] = {name: state[name] for name in sorted(state)}
        return int(saved["step"])

    def _save(self, step: int, optimiser: torch.optim.Adam) -> None:
        tensors = {"step": torch.tensor(step)}
        tensors |= {f"network.{k}": v for k, v in self.networks.state_dict().items()}
        for number, parameter in enumerate(self.networks.parameters()):
            state = optimiser.state[parameter].items()
            tensors |= {f"adam.{number}.{name}": value for name, value in state}
        partial = self._state.with_suffix(".part")
        save_file({name: value.clone() for name, value in tensors.items()}, partial)
        partial.replace(self._state)


def _with(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


@torch.no_grad()
def _styles(observers: Observers, latents: Tensor) -> Tensor:
    """(n, s) factors of latents (n, 16, 512)."""
    return torch.cat([observers.network.styles(some) for some in latents.split(100)])
