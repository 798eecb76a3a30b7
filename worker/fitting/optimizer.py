"""Adam as inversion and tuning use it: its learning rate goes up quickly and down slowly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor
from torch.optim.adam import adam

_RISE = 0.1  # part of the steps in which the learning rate rises
BETA = 0.9
_BETA_OF_SQUARES = 0.99  # short, for there are few steps
_EPSILON = 1e-8


class Adam:
    """Adam (Kingma and Ba 2014) over some tensors; torch's own, as a function.

    Args:
        groups: learning rate → the tensors that it is for.
        beta: of the gradients' running mean, 0 to 1; the fewer steps there are the smaller.
    """

    def __init__(self, groups: Mapping[float, Iterable[Tensor]], beta: float = BETA) -> None:
        self._groups = [_Group(list(tensors), rate, beta) for rate, tensors in groups.items()]

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
            for group in self._groups:
                group.step(share)
            on_step(float(loss.detach()))


class _Group:
    """Tensors that follow their gradients at one learning rate."""

    def __init__(self, tensors: list[Tensor], rate: float, beta: float) -> None:
        self._tensors, self._rate, self._beta = tensors, rate, beta
        self._means, self._squares = ([torch.zeros_like(t) for t in tensors] for _ in range(2))
        self._steps = [torch.zeros(()) for _ in tensors]

    @torch.no_grad()
    def step(self, share: float) -> None:
        """One step of ``share`` times the learning rate; forgets the gradients."""
        # Some step's loss may not look at a tensor, which then stays where it is.
        gradients = {i: t.grad for i, t in enumerate(self._tensors) if t.grad is not None}
        adam(
            [self._tensors[i] for i in gradients],
            list(gradients.values()),
            [self._means[i] for i in gradients],
            [self._squares[i] for i in gradients],
            [],
            [self._steps[i] for i in gradients],
            amsgrad=False,
            beta1=self._beta,
            beta2=_BETA_OF_SQUARES,
            lr=self._rate * share,
            weight_decay=0.0,
            eps=_EPSILON,
            maximize=False,
        )
        for tensor in self._tensors:
            tensor.grad = None
