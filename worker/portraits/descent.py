"""Gradient descent as inversion and tuning use it: Adam, its rate up quickly and down slowly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

_RISE = 0.1  # part of the steps in which the rate rises
_MEMORY = (0.9, 0.99)  # of Adam; the second is short, for there are few steps


class Descent:
    """Adam over some tensors.

    Args:
        rates: learning rate → the tensors that it is for.
    """

    def __init__(self, rates: Mapping[float, Iterable[Tensor]]) -> None:
        groups = [{"params": list(tensors), "highest": rate} for rate, tensors in rates.items()]
        self._optimizer = torch.optim.Adam(groups, betas=_MEMORY)

    def run(
        self, steps: int, loss_of: Callable[[int], Tensor], on_step: Callable[[float], None]
    ) -> None:
        """Go so many steps.

        Args:
            loss_of: the loss at a step, counted from 0.
            on_step: called with the loss after each step.
        """
        for step in range(steps):
            progress = (step + 0.5) / steps
            share = min(1, progress / _RISE) * (0.5 + 0.5 * math.cos(math.pi * progress))
            for group in self._optimizer.param_groups:
                group["lr"] = group["highest"] * share
            self._optimizer.zero_grad()
            with torch.enable_grad():
                loss = loss_of(step)
                loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            on_step(float(loss.detach()))
