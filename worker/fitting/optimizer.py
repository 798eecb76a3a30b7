"""Gradient descent as inversion and tuning use it: Adam, its rate up quickly and down slowly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

_RISE = 0.1  # part of the steps in which the rate rises
MEMORY = 0.9
_SQUARE = 0.99  # memory of Adam for squares; short, for there are few steps
_EPSILON = 1e-8


class Descent:
    """Adam (Kingma and Ba 2014) over some tensors.

    Written out here because to import torch.optim takes longer than a second.

    Args:
        rates: learning rate → the tensors that it is for.
        memory: of Adam for gradients, 0 to 1; the fewer steps there are the shorter.
    """

    def __init__(self, rates: Mapping[float, Iterable[Tensor]], memory: float = MEMORY) -> None:
        self._moving = [
            _Moving(tensor, rate, memory) for rate, some in rates.items() for tensor in some
        ]

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
            with torch.enable_grad():
                loss = loss_of(step)
                loss.backward()  # type: ignore[no-untyped-call]
            for moving in self._moving:
                moving.step(share)
            on_step(float(loss.detach()))


class _Moving:
    """A tensor that follows its gradient."""

    def __init__(self, tensor: Tensor, rate: float, memory: float) -> None:
        self._tensor, self._rate, self._memory, self._steps = tensor, rate, memory, 0
        self._mean, self._square = torch.zeros_like(tensor), torch.zeros_like(tensor)

    @torch.no_grad()
    def step(self, share: float) -> None:
        """One step of ``share`` times the rate; forgets the gradient."""
        gradient, self._tensor.grad = self._tensor.grad, None
        if gradient is None:  # this step's loss did not look at the tensor
            return
        self._steps += 1
        self._mean.lerp_(gradient, 1 - self._memory)
        self._square.mul_(_SQUARE).addcmul_(gradient, gradient, value=1 - _SQUARE)
        mean = self._mean / (1 - self._memory**self._steps)
        square = self._square / (1 - _SQUARE**self._steps)
        self._tensor.addcdiv_(mean, square.sqrt_().add_(_EPSILON), value=-self._rate * share)
