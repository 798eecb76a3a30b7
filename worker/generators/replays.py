"""A network's many small kernels, started at once: CUDA graphs behind the same call.

At 256² a device waits longer for the processor to start its kernels than it computes. What a call
did once is recorded and replayed with other numbers; where nothing can be recorded (on a processor,
without the memory for it, with a network that asks the device for an answer) the call itself is
made, each time, with the same pixels.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from photorig.shared.bounded_cache import BoundedCache

logger = logging.getLogger(__name__)

_REMEMBERED = 4
"""Recordings of one generator; each keeps the memory of what it computes."""

Make = Callable[..., Tensor]
Replay = Callable[[Sequence[Tensor]], Tensor]
Capture = Callable[[Make, Sequence[Tensor]], Replay]
"""Records a call with inputs of these shapes; gives what replays it with others, as a new tensor.
Raises RuntimeError where that cannot be."""


class Replays:
    """Calls that are recorded the second time they are made, and replayed from then on.

    Args:
        capture: records a call; None records nothing.
    """

    def __init__(self, capture: Capture | None) -> None:
        self._capture = capture
        self._seen: set[object] = set()
        self._kept = BoundedCache[object, Replay](_REMEMBERED)
        self._lock = threading.Lock()

    @staticmethod
    def on(device: torch.device) -> Replays:
        """Those of a device."""
        return Replays(captured if device.type == "cuda" else None)

    def run(self, name: object, make: Make, inputs: Sequence[Tensor]) -> Tensor:
        """What ``make(*inputs)`` gives.

        Args:
            name: of what is made; the shapes of its inputs are added to it.
        """
        if self._capture is None:
            return make(*inputs)
        key = (name, *(tuple(each.shape) for each in inputs))
        with self._lock:
            replay = self._kept.get(key)
            if replay is not None:
                return replay(inputs)
            result = make(*inputs)
            if key in self._seen:
                self._record(key, make, inputs, result)
            self._seen.add(key)
            return result

    def _record(self, key: object, make: Make, inputs: Sequence[Tensor], wanted: Tensor) -> None:
        assert self._capture is not None
        try:
            replay = self._capture(make, inputs)
            if torch.equal(replay(inputs), wanted):
                self._kept.put(key, replay)
                return
            logger.warning("what is replayed is not what was made: nothing is recorded")
        except RuntimeError as error:
            logger.warning("nothing is recorded on this device: %s", error)
        self._capture = None


def captured(make: Make, inputs: Sequence[Tensor]) -> Replay:
    """A `Capture` by CUDA graphs."""
    held = [each.clone() for each in inputs]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # libraries choose their kernels and memory before
        make(*held)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = make(*held)

    def replay(others: Sequence[Tensor]) -> Tensor:
        for kept, other in zip(held, others, strict=True):
            kept.copy_(other)
        graph.replay()
        return result.clone()

    return replay
