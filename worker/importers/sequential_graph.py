"""A network read from a file: steps that hand named values on, as a torch module."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

Name = TypeVar("Name", bound=Hashable)
Wiring = tuple[tuple[Name, ...], Name]
"""Which values a step reads, and which it makes."""


class SequentialGraph(nn.Module, Generic[Name]):
    """Steps in an order in which each finds what it reads.

    Args:
        steps: modules with as many arguments as they read values.
        wiring: of each step.
        given: name of the input.
        outputs: names of the results.
    """

    def __init__(
        self,
        steps: Iterable[nn.Module],
        wiring: Sequence[Wiring[Name]],
        given: Name,
        outputs: tuple[Name, ...],
    ) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)
        self._wiring = list(wiring)
        self._input, self._outputs = given, outputs
        self._last_use = _last_uses(self._wiring, outputs)
        self.eval().requires_grad_(False)

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """inputs: (b, …) float32 in the network's own layout -> the outputs, each (b, …)."""
        values: dict[Any, Tensor] = {self._input: inputs}
        for step, (sources, output), finished in zip(
            self.steps, self._wiring, self._last_use, strict=True
        ):
            values[output] = step(*[values[source] for source in sources])
            for source in finished:  # activations of a batch are large: let them go early
                del values[source]
        return [values[output] for output in self._outputs]


def _last_uses(wiring: Sequence[Wiring[Name]], outputs: tuple[Name, ...]) -> list[tuple[Name, ...]]:
    """For each step, the values that no later step reads."""
    seen, freed = set(outputs), []
    for sources, _ in reversed(wiring):
        freed.append(tuple(set(sources) - seen))
        seen.update(sources)
    return freed[::-1]
