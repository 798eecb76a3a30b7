"""How methods that are driven by pictures are trained: first by the direction matrix, then by eye.

The papers go through pictures from the start, a million times and more. The first stage here needs
none: where the direction matrix would take a code is known in closed form, and learning to come
near it costs milliseconds a step. What only pictures show is left to the second stage.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from photorig.worker.reenactment.bundle import ModelBundle

from .performances import FRAMES, Performances


@dataclass(frozen=True)
class StageSettings:
    """How to train.

    Attributes:
        matrix_steps, matrix_batch, matrix_rate: the first stage, by the direction matrix.
        picture_steps, picture_batch, picture_rate: the second, through pictures.
        weight_decay: of both.
    """

    matrix_steps: int = 2000
    matrix_batch: int = 48
    matrix_rate: float = 1e-3
    picture_steps: int = 900
    picture_batch: int = 4
    picture_rate: float = 1e-4
    weight_decay: float = 5e-4

    def with_steps(self, matrix_steps: int, picture_steps: int) -> StageSettings:
        return replace(self, matrix_steps=matrix_steps, picture_steps=picture_steps)

    def state(self, cache: Path, name: str, seed: int) -> Path:
        """Where a stopped run leaves what it had learned."""
        steps = f"{self.matrix_steps}-{self.picture_steps}"
        return cache / f"{name}-{seed}-{steps}.safetensors"


def add_stage_arguments(parser: argparse.ArgumentParser, settings: StageSettings) -> None:
    parser.add_argument("--matrix-steps", type=int, default=settings.matrix_steps)
    parser.add_argument("--picture-steps", type=int, default=settings.picture_steps)


class Objective(Protocol):
    """What a method has to learn."""

    def matrix_terms(self, count: int, random: torch.Generator) -> dict[str, Tensor]:
        """Losses of ``count`` pairs of frames, without pictures."""
        ...

    def picture_terms(self, count: int, random: torch.Generator) -> dict[str, Tensor]:
        """Losses of ``count`` pairs of frames, by their pictures."""
        ...


def train_in_stages(
    module: nn.Module,
    objective: Objective,
    settings: StageSettings,
    seed: int,
    state: Path,
    say: Callable[[str], None],
) -> None:
    """Both stages, from wherever the last run was stopped.

    Args:
        state: file in which a stopped run left what it had learned.
    """
    total = settings.matrix_steps + settings.picture_steps
    optimiser = torch.optim.Adam(module.parameters(), weight_decay=settings.weight_decay)
    for step in range(_restore(module, optimiser, state), total):
        # A generator of its own for every step, so that a continued run draws the same batches.
        random = torch.Generator().manual_seed((seed << 32) + step)
        is_picture = step >= settings.matrix_steps
        if is_picture:
            terms = objective.picture_terms(settings.picture_batch, random)
        else:
            terms = objective.matrix_terms(settings.matrix_batch, random)
        optimiser.param_groups[0]["lr"] = _rate(settings, step)
        optimiser.zero_grad()
        loss = torch.stack(list(terms.values())).sum()
        if bool(torch.isfinite(loss)):
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
        if step % (10 if is_picture else 200) == 0:
            values = ", ".join(f"{name} {float(term.detach()):.3f}" for name, term in terms.items())
            say(f"step {step} of {total}: {values}")
        if (step + 1) % (25 if is_picture else 500) == 0:
            _save(step + 1, module, optimiser, state)


def _rate(settings: StageSettings, step: int) -> float:
    """Falls to a tenth along a cosine in each stage."""
    rate, part = settings.matrix_rate, step / max(settings.matrix_steps, 1)
    if step >= settings.matrix_steps:
        rate = settings.picture_rate
        part = (step - settings.matrix_steps) / settings.picture_steps
    return rate * (0.55 + 0.45 * math.cos(math.pi * part))


class MatrixTeacher:
    """Where the direction matrix takes a frame's code to show what another frame shows."""

    def __init__(self, bundle: ModelBundle, people: Performances) -> None:
        self._bundle = bundle
        self._directions = torch.from_numpy(bundle.directions)
        self._motion = np.stack([bundle.curve(row) for row in people.parameters.numpy()])

    def shift(self, source: Tensor, driver: Tensor) -> Tensor:
        """(b, rows, w_dim) for frames of sources (b,) and drivers (b,)."""
        bundle = self._bundle
        change = self._motion[driver.numpy()] - self._motion[source.numpy()]
        change = np.where(bundle.moves_latents, change, 0).astype(np.float32)
        motion = torch.from_numpy(np.stack([bundle.clamped_motion(one) for one in change]))
        return torch.einsum("bk,krd->brd", motion, self._directions)


def draw_pairs(
    people: Performances, count: int, own: float, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Frames of sources (count,) and of drivers (count,) in which a face is found.

    Args:
        own: how often a driver is another frame of the source's own person.
    """
    usable = torch.nonzero(people.found)[:, 0]
    source = usable[torch.randint(len(usable), (count,), generator=random)]
    driver = usable[torch.randint(len(usable), (count,), generator=random)]
    same = source - source % FRAMES + torch.randint(FRAMES, (count,), generator=random)
    is_own = (torch.rand(count, generator=random) < own) & people.found[same]
    return source, torch.where(is_own, same, driver)


def _restore(module: nn.Module, optimiser: torch.optim.Adam, state: Path) -> int:
    try:
        saved = load_file(state)
    except (FileNotFoundError, SafetensorError):
        return 0
    module.load_state_dict(_with(saved, "network."))
    for number, parameter in enumerate(module.parameters()):
        optimiser.state[parameter] = _with(saved, f"adam.{number}.")
    return int(saved["step"])


def _save(step: int, module: nn.Module, optimiser: torch.optim.Adam, state: Path) -> None:
    tensors = {"step": torch.tensor(step)}
    tensors |= {f"network.{name}": values for name, values in module.state_dict().items()}
    for number, parameter in enumerate(module.parameters()):
        kept = optimiser.state[parameter].items()
        tensors |= {f"adam.{number}.{name}": value for name, value in kept}
    partial = state.with_suffix(".part")
    save_file({name: value.clone() for name, value in tensors.items()}, partial)
    partial.replace(state)


def _with(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
