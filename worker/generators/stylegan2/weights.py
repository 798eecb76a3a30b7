"""A StyleGAN2 as named arrays: the names of NVIDIA's stylegan2-ada-pytorch, and what they tell.

Everything about a network follows from the shapes of its tensors, except for the greatest value
that its features may have, which stands beside them. Blur kernels are left out: all of these
networks have [1, 3, 3, 1].
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from photorig.shared.errors import InputError, ModelError

from ..weights import LatentStatistics

LEAST_SIDE, GREATEST_SIDE = 32, 1024
USUAL_SIDES = (256, 512, 1024)
"""Pictures that everything else asks for; from smaller networks they are enlarged."""

_GREATEST_WIDTH = 2048
_MOST_LAYERS = 16
_TUNABLE = re.compile(r"synthesis\.b\d+\.(conv[01]|torgb)\.(weight|bias)")
_HINT = "Import a StyleGAN2 of the skip architecture that makes colour pictures of one class."


@dataclass(frozen=True)
class StyleGan2Form:
    """How large a StyleGAN2 is.

    Attributes:
        z_dim, w_dim: length of a random code, and of a row of latents.
        side: of its images in pixels, a power of two.
        channels: of the features, by their side: 4, 8, … ``side``.
        n_mapping: layers of the mapping network.
    """

    z_dim: int
    w_dim: int
    side: int
    channels: Mapping[int, int]
    n_mapping: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the images that can be had, the smallest first."""
        return tuple(sorted({*USUAL_SIDES, self.side}))

    @property
    def sides(self) -> tuple[int, ...]:
        """4, 8, … ``side``: one block each."""
        return tuple(self.channels)

    @property
    def n_rows(self) -> int:
        """Rows of W+: two for each block; the last one moves its image layer alone."""
        return 2 * len(self.channels)

    @staticmethod
    def of(shapes: Mapping[str, tuple[int, ...]]) -> StyleGan2Form:
        """The form that tensors of these shapes have.

        Raises:
            ModelError: they are no StyleGAN2 that this program knows.
        """
        sides = sorted(int(m[1]) for name in shapes if (m := _LAST_BIAS.fullmatch(name)))
        whole = [4 << i for i in range(len(sides))]
        if not sides or sides != whole or not LEAST_SIDE <= whole[-1] <= GREATEST_SIDE:
            raise ModelError(f"its image layers are at the sides {sides or 'none'}", _HINT)
        channels = {side: _first(shapes, f"synthesis.b{side}.conv1.weight") for side in sides}
        n_mapping = sum(1 for name in shapes if _MAPPING_WEIGHT.fullmatch(name))
        first = shapes.get("mapping.fc0.weight", ())
        if len(first) != 2 or not 1 <= n_mapping <= _MOST_LAYERS:
            raise ModelError("it has no mapping network", _HINT)
        form = StyleGan2Form(first[1], first[0], sides[-1], channels, n_mapping)
        form.check(shapes)
        return form

    def check(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raise ModelError unless there are exactly the tensors of this form."""
        expected = self.shapes
        if max(self.z_dim, self.w_dim, *self.channels.values()) > _GREATEST_WIDTH:
            raise ModelError("it is wider than any StyleGAN2", _HINT)
        for name in sorted(expected.keys() | shapes.keys()):
            if name not in shapes:
                raise ModelError(f"its tensor {name} is missing", _HINT)
            if name not in expected:
                raise ModelError(f"it has a tensor {name[:80]!r} that no StyleGAN2 has", _HINT)
            if tuple(shapes[name]) != expected[name]:
                raise ModelError(
                    f"its tensor {name} is {tuple(shapes[name])}, not {expected[name]}", _HINT
                )

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor, by name."""
        found = {"mapping.w_avg": (self.w_dim,), "synthesis.b4.const": (self.channels[4], 4, 4)}
        for index in range(self.n_mapping):
            width = self.z_dim if index == 0 else self.w_dim
            found[f"mapping.fc{index}.weight"] = (self.w_dim, width)
            found[f"mapping.fc{index}.bias"] = (self.w_dim,)
        for name, side, n_in, n_out in self.layers():
            kernel = 1 if name.endswith("torgb") else 3
            found[f"{name}.weight"] = (n_out, n_in, kernel, kernel)
            found[f"{name}.bias"] = (n_out,)
            found[f"{name}.affine.weight"] = (n_in, self.w_dim)
            found[f"{name}.affine.bias"] = (n_in,)
            if kernel == 3:
                found[f"{name}.noise_const"] = (side, side)
                found[f"{name}.noise_strength"] = ()
        return found

    def layers(self) -> Iterator[tuple[str, int, int, int]]:
        """(name, side, channels in, channels out) of the modulated layers, in order of execution
        with the image layer last in its block."""
        for side, width in self.channels.items():
            name = f"synthesis.b{side}"
            if side > 4:
                yield f"{name}.conv0", side, self.channels[side // 2], width
            yield f"{name}.conv1", side, width, width
            yield f"{name}.torgb", side, width, 3

    def convolution_rows(self, end: int) -> Iterator[tuple[str, int]]:
        """(name, row of latents that it reads) of the convolutions of the rows before ``end``."""
        for index, side in enumerate(self.channels):
            first = max(0, 2 * index - 1)
            for row, part in enumerate(("conv0", "conv1") if side > 4 else ("conv1",), first):
                if row < end:
                    yield f"synthesis.b{side}.{part}", row


_LAST_BIAS = re.compile(r"synthesis\.b(\d{1,4})\.torgb\.bias")
_MAPPING_WEIGHT = re.compile(r"mapping\.fc\d{1,2}\.weight")


def _first(shapes: Mapping[str, tuple[int, ...]], name: str) -> int:
    shape = shapes.get(name, ())
    if len(shape) != 4:
        raise ModelError(f"its tensor {name} is missing", _HINT)
    return shape[0]


@dataclass(frozen=True, eq=False)
class StyleGan2Weights:
    """All there is to a StyleGAN2.

    Attributes:
        tensors: float32, by NVIDIA's names, as `StyleGan2Form.shapes` has them.
        clamp: greatest magnitude of features after each layer, None where they are not held.
        statistics: of w.
        name: of the imported model, "" where it is none.
        model_id: SHA-256 (hex) of tensors and clamp as they were imported; names the latent space.
    """

    tensors: Mapping[str, np.ndarray]
    clamp: float | None
    statistics: LatentStatistics
    model_id: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if not self.model_id:
            object.__setattr__(self, "model_id", fingerprint(self.tensors, self.clamp))

    @cached_property
    def form(self) -> StyleGan2Form:
        return StyleGan2Form.of({name: values.shape for name, values in self.tensors.items()})

    @property
    def pixels_id(self) -> str:
        """As the model: there is nothing else that makes pixels."""
        return self.model_id

    def map(self, z: np.ndarray, truncation: float) -> np.ndarray:
        """z (b, z_dim) standard normal → w (b, w_dim) float32, one code at a time.

        Raises:
            InputError: z has another shape.
        """
        form = self.form
        if z.ndim != 2 or z.shape[1] != form.z_dim:
            raise InputError(f"random codes must be (n, {form.z_dim}), not {z.shape}")
        codes = np.asarray(z, np.float32)
        w = np.concatenate([map_codes(self.tensors, code[None]) for code in codes])
        mean = self.statistics.mean
        return w if truncation == 1.0 else mean + np.float32(truncation) * (w - mean)

    def affine(self, layer: str) -> tuple[np.ndarray, np.ndarray]:
        """(channels, w_dim) and (channels,): a row of latents → the style of a layer."""
        gain = np.float32(1 / math.sqrt(self.form.w_dim))
        return self.tensors[f"{layer}.affine.weight"] * gain, self.tensors[f"{layer}.affine.bias"]

    def moved(self, name: str, delta: np.ndarray) -> StyleGan2Weights:
        """With ``delta`` added to a tensor. Raises InputError where it does not fit."""
        values = self.tensors.get(name)
        if values is None or values.shape != delta.shape:
            raise InputError("A tuning does not fit this generator", "Fit the photo again.")
        return replace(self, tensors={**self.tensors, name: values + delta.astype(np.float32)})


MAPPING_RATE = np.float32(0.01)
"""By which the mapping network's weights and biases are stored too large."""


def map_codes(tensors: Mapping[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    """z (b, z_dim) → w (b, w_dim) float32 by the mapping network of NVIDIA's names, on numpy."""
    x = z / np.sqrt(np.square(z).mean(1, keepdims=True) + np.float32(1e-8))
    for index in range(_MOST_LAYERS):
        if f"mapping.fc{index}.weight" not in tensors:
            break
        weight = np.asarray(tensors[f"mapping.fc{index}.weight"], np.float32)
        bias = np.asarray(tensors[f"mapping.fc{index}.bias"], np.float32)
        gain = MAPPING_RATE / np.float32(math.sqrt(weight.shape[1]))
        x = x @ (weight * gain).T + bias * MAPPING_RATE
        x = np.where(x > 0, x, np.float32(0.2) * x) * np.float32(math.sqrt(2))
    return np.asarray(x, np.float32)


def is_tunable(name: str) -> bool:
    """Whether a person's tuning may move a tensor: convolutions and image layers, no modulation."""
    return _TUNABLE.fullmatch(name) is not None


def side_of(name: str) -> int:
    """Side of the block that a tensor or layer of ``synthesis`` belongs to."""
    return int(name.split(".")[1].removeprefix("b"))


def fingerprint(tensors: Mapping[str, np.ndarray], clamp: float | None) -> str:
    """SHA-256 (hex) of names, shapes and values."""
    digest = hashlib.sha256(f"stylegan2 {clamp}".encode())
    for name, values in sorted(tensors.items()):
        digest.update(f"{name} {values.shape} ".encode())
        digest.update(np.ascontiguousarray(values, np.float32).data)
    return digest.hexdigest()
