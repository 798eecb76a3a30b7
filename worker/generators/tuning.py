"""A generator's weights moved a little, so that one code gives one person: pivotal tuning.

Roich, Mokady, Bermano and Cohen-Or, "Pivotal Tuning for Latent-based Editing of Real Images", 2021.
What is kept of a tuning are the differences, in half precision.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from photorig.shared.errors import InputError

from .weights import GeneratorWeights

GREATEST_DELTA = 1.0
"""Weights are below 1 almost everywhere; one that moves further than this belongs to no face."""

_TUNABLE = re.compile(
    r"blocks\.\d\.convolution[12]\.(depthwise|weight|bias)"
    r"|image_head\.(weight|bias)"
    r"|preview_heads\.\d+\.(linear|reduce|output|layer[12]\.(depthwise|pointwise))\.(weight|bias)"
    r"|preview_heads\.\d+\.((layer[12]\.|output_)?modulation|colour)\.linear\.(weight|bias)"
)

_HINT = "Fit the photo again."


@dataclass(frozen=True, eq=False)
class WeightTuning:
    """Differences of weights, by the names that parameters have in `MobileStyleGAN`.

    Attributes:
        deltas: float16 arrays of the weights' shapes, for example of ``image_head.weight``.
    """

    deltas: Mapping[str, np.ndarray]

    @cached_property
    def id(self) -> str:
        """SHA-256 (hex) of names and values: equal where the tuned generators are equal."""
        digest = hashlib.sha256()
        for name, delta in sorted(self.deltas.items()):
            digest.update(f"{name} {delta.shape} ".encode())
            digest.update(np.ascontiguousarray(delta).tobytes())
        return digest.hexdigest()

    def applied(self, weights: GeneratorWeights) -> GeneratorWeights:
        """The weights with the differences added; what is not tuned is shared with ``weights``.

        Raises:
            InputError: a name or a shape is not one of this generator, or a value cannot be.
        """
        for name, delta in self.checked(is_tunable):
            weights = _moved(weights, _path(name), delta)
        return weights

    def checked(self, may_move: Callable[[str], bool]) -> Iterator[tuple[str, np.ndarray]]:
        """Names and differences.

        Raises:
            InputError: a name is not one that ``may_move`` allows, or a value cannot be.
        """
        for name, delta in self.deltas.items():
            # The comparison is false for values that are not finite, too.
            if not (np.abs(delta) <= GREATEST_DELTA).all():
                raise InputError(f"A tuning is damaged at {name[:80]!r}", _HINT)
            if not may_move(name):
                raise InputError(f"A tuning names {name[:80]!r}, which cannot be tuned", _HINT)
            yield name, delta


def is_tunable(name: str) -> bool:
    """Whether a tuning may move a parameter of `MobileStyleGAN`.

    It may move convolutions and heads. Not the modulations: through them alone latents act, so a
    head turns and a mouth opens as it did before.
    """
    return _TUNABLE.fullmatch(name) is not None


def _path(name: str) -> list[str]:
    # What a preview head holds is flat, with dots in its names.
    return name.split(".", 2 if name.startswith("preview_heads.") else -1)


def _moved(node: Any, path: list[str], delta: np.ndarray) -> Any:
    """A copy of ``node`` in which the array at ``path`` has moved by ``delta``."""
    if not path:
        if not isinstance(node, np.ndarray) or node.shape != delta.shape:
            raise InputError("A tuning does not fit this generator", _HINT)
        return node + delta.astype(np.float32)
    first, rest = path[0], path[1:]
    if isinstance(node, tuple) and int(first) < len(node):
        index = int(first)
        return (*node[:index], _moved(node[index], rest, delta), *node[index + 1 :])
    if isinstance(node, Mapping) and first in map(str, node):
        key = next(key for key in node if str(key) == first)
        return {**node, key: _moved(node[key], rest, delta)}
    if is_dataclass(node) and not isinstance(node, type):
        return replace(node, **{first: _moved(getattr(node, first), rest, delta)})
    raise InputError("A tuning does not fit this generator", _HINT)
