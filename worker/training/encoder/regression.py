"""The encoder's head by ridge regression: latents on what the trunk sees of photographed faces.

There are more features than pictures, so everything is solved in the dual: with the Gram matrix of
the pictures. Latents are fitted in coordinates that differ much in how well a picture tells them:
the mean over the groups of rows and the deviations from it, each along the principal directions of
w. Each band of coordinates has a ridge of its own; what cannot be told at all stays at its mean.
Ridges and the weight of each block of features are chosen on samples that were left out, all
versions of a sample together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from photorig.worker.fitting.encoder import ROW_GROUPS, EncoderHead, Maps, raw_features

from .features import TrunkFeatures

_FOLDS = 3
_RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 1e6)
_BALANCES = ((1.0, 1.0, 0.1), (2.0, 1.0, 0.1))
"""Weights of middle maps, deep maps and colours that are tried."""
_BANDS = (0, 4, 12, 30, 70, 160)
"""Principal directions of w that share a ridge, from each number to the next."""


@dataclass(frozen=True)
class RegressionSettings:
    """How much the head may hold.

    Attributes:
        middle, deep: combinations of channels that are kept of each layer.
        rank: of the linear map.
        gain: of a correction, see `EncoderHead`.
    """

    middle: int = 40
    deep: int = 80
    rank: int = 192
    gain: float = 0.7


def fit_head(
    trunk_features: TrunkFeatures, settings: RegressionSettings, say: Callable[[str], None]
) -> EncoderHead:
    """The head with the smallest error on samples that were left out, fitted to all of them."""
    middle_basis = _main_channels(trunk_features.maps.middle, settings.middle)
    deep_basis = _main_channels(trunk_features.maps.deep, settings.deep)
    features = _features(trunk_features.maps, middle_basis, deep_basis)
    mean, deviation = features.mean(0), features.std(0)
    blocks = _blocks(trunk_features.maps, settings)
    # What hardly ever changes must not be blown up: it is noise.
    floor = torch.cat([deviation[block].mean().expand(_length(block)) for block in blocks])
    scale = 1 / deviation.clamp_min(0.1 * floor)
    features = (features - mean).mul_(scale)
    coordinates = Coordinates.of(trunk_features.codes.double())
    targets = coordinates.apart(trunk_features.codes.double())
    grams = [_gram(features[:, block]) for block in blocks]
    balance, ridges = _chosen(grams, targets, trunk_features.sample, say)
    weights = torch.cat(
        [
            torch.full((_length(block),), (share / _length(block)) ** 0.5)
            for share, block in zip(balance, blocks, strict=True)
        ]
    )
    scale, features = scale * weights, features.mul_(weights)
    dual = _dual((features @ features.T).double(), targets, ridges)
    down, up = _low_rank(features, coordinates.together(dual).flatten(1), settings.rank)
    return EncoderHead(
        {
            "middle_basis": middle_basis,
            "deep_basis": deep_basis,
            "mean": mean,
            "scale": scale,
            "down": down,
            "up": up,
            "code": coordinates.mean.flatten().float(),
            "gain": torch.tensor(settings.gain),
        }
    )


def _main_channels(maps: Tensor, count: int) -> Tensor:
    """(c, count) the principal combinations of channels, over pictures and places."""
    some = maps[:: max(1, len(maps) // 300)].float()
    values = some.permute(0, 2, 3, 1).flatten(0, 2)
    # Places differ more than pictures do; what every picture shows at a place tells nothing.
    values = values - some.mean(0).permute(1, 2, 0).flatten(0, 1).repeat(len(some), 1)
    _, vectors = torch.linalg.eigh(values.T @ values / len(values))
    return vectors.flip(1)[:, :count].contiguous()


def _features(maps: Maps, middle_basis: Tensor, deep_basis: Tensor, batch: int = 200) -> Tensor:
    parts = []
    for start in range(0, len(maps.colours), batch):
        piece = slice(start, start + batch)
        some = Maps(
            maps.middle[piece].float(), maps.deep[piece].float(), maps.colours[piece].float()
        )
        parts.append(raw_features(some, middle_basis, deep_basis))
    return torch.cat(parts)


def _blocks(maps: Maps, settings: RegressionSettings) -> list[slice]:
    middle = settings.middle * maps.middle[0, 0].numel()
    deep = middle + settings.deep * maps.deep[0, 0].numel()
    return [slice(0, middle), slice(middle, deep), slice(deep, deep + maps.colours[0].numel())]


def _length(block: slice) -> int:
    return int(block.stop - block.start)


def _gram(features: Tensor) -> Tensor:
    return (features @ features.T / features.shape[1]).double()


@dataclass(frozen=True)
class Coordinates:
    """Codes taken apart into numbers that pictures tell well and numbers that they do not.

    Attributes:
        mean: (n_groups, w_dim) mean code.
        directions: (w_dim, w_dim) principal directions of w in columns, the largest first.
    """

    mean: Tensor
    directions: Tensor

    @staticmethod
    def of(codes: Tensor) -> Coordinates:
        """codes: (n, n_groups, w_dim)."""
        mean = codes.mean(0)
        rows = (codes - mean).flatten(0, 1)
        _, vectors = torch.linalg.eigh(rows.T @ rows / len(rows))
        return Coordinates(mean, vectors.flip(1))

    def apart(self, codes: Tensor) -> Tensor:
        """(n, n_groups, w_dim) to (n, 1 + n_groups, w_dim): the groups' mean, then deviations."""
        along = (codes - self.mean) @ self.directions
        common = along.mean(1, keepdim=True)
        return torch.cat([common, along - common], 1)

    def together(self, coordinates: Tensor) -> Tensor:
        """The opposite of `apart`, without the mean code."""
        return (coordinates[:, :1] + coordinates[:, 1:]) @ self.directions.T


def _chosen(
    grams: list[Tensor], targets: Tensor, sample: Tensor, say: Callable[[str], None]
) -> tuple[tuple[float, ...], Tensor]:
    """Balance of the blocks, and ridges (2, n_bands) of common coordinates and deviations."""
    spread, results = _by_band(targets.square().sum(0)), []
    for balance in _BALANCES:
        errors = _left_out_errors(_mixed(grams, balance), targets, sample)
        least, index = errors.min(0)
        results.append((float(least.sum() / spread.sum()), balance, index, 1 - least / spread))
    total, balance, index, shares = min(results, key=lambda result: result[0])
    bands = " ".join(f"{share:.2f}" for share in shares.flatten())
    say(f"left out, {100 * (1 - total):.1f} % of w explained; balance {balance}; by band {bands}")
    return balance, torch.tensor(_RIDGES, dtype=torch.float64)[index]


def _mixed(grams: list[Tensor], balance: tuple[float, ...]) -> Tensor:
    parts = [share * gram for share, gram in zip(balance, grams, strict=True)]
    return torch.stack(parts).sum(0)


def _left_out_errors(gram: Tensor, targets: Tensor, sample: Tensor) -> Tensor:
    """(n_ridges, 2, n_bands) squared errors on left-out samples."""
    errors = torch.zeros(len(_RIDGES), 2, len(_bands(targets.shape[2])) - 1, dtype=targets.dtype)
    for fold in range(_FOLDS):
        left_out = sample % _FOLDS == fold
        known = ~left_out
        # Single precision from here on: it chooses between ridges a factor of three apart.
        values, vectors = torch.linalg.eigh(gram[known][:, known])
        values, vectors = values.float(), vectors.float()
        rotated = torch.einsum("nk,ngc->kgc", vectors, targets[known].float())
        across = gram[left_out][:, known].float() @ vectors
        for index, ridge in enumerate(_RIDGES):
            inverse = 1 / (values.clamp_min(0) + float(_strength(ridge, gram)))
            fitted = torch.einsum("mk,kgc->mgc", across * inverse, rotated)
            errors[index] += _by_band((fitted - targets[left_out].float()).square().sum(0))
    return errors


def _bands(w_dim: int) -> tuple[int, ...]:
    """Where the bands of principal directions of w begin, and where the last one ends."""
    return (*(start for start in _BANDS if start < w_dim), w_dim)


def _by_band(values: Tensor) -> Tensor:
    """(1 + n_groups, w_dim) to sums (2, n_bands) over common coordinates and over deviations."""
    kinds = torch.stack([values[0], values[1:].sum(0)])
    return torch.stack(
        [kinds[:, first:last].sum(1) for first, last in pairwise(_bands(values.shape[1]))], 1
    )


def _strength(ridge: float | Tensor, gram: Tensor) -> Tensor:
    return torch.as_tensor(ridge) * gram.diagonal().mean()


def _dual(gram: Tensor, targets: Tensor, ridges: Tensor) -> Tensor:
    """(n, 1 + n_groups, w_dim) weights of the pictures, each coordinate with its band's ridge."""
    values, vectors = torch.linalg.eigh(gram)
    rotated = torch.einsum("nk,ngc->kgc", vectors, targets)
    lengths = torch.tensor(_bands(targets.shape[2])).diff()
    strength = _strength(ridges, gram).repeat_interleave(lengths, 1)
    strength = torch.cat([strength[:1], strength[1:].expand(targets.shape[1] - 1, -1)])
    rotated /= values.clamp_min(0)[:, None, None] + strength
    return torch.einsum("nk,kgc->ngc", vectors, rotated)


def _low_rank(features: Tensor, dual: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """down (n, r) and up (r, outputs): the solution on the outputs in which it varies most."""
    fitted = (features @ features.T) @ dual.float()
    # Principal outputs by way of the pictures, of which there are usually fewer.
    _, pictures = torch.linalg.eigh(fitted @ fitted.T)
    up = torch.linalg.qr(fitted.T @ pictures.flip(1)[:, :rank]).Q.T
    down = features.T @ (dual.float() @ up.T)
    return down.contiguous(), up.contiguous()


def head_tensors(head: EncoderHead) -> dict[str, Tensor]:
    """What is saved of a head; the large matrices in half precision."""
    large = ("down", "up", "middle_basis", "deep_basis")
    tensors = {name: getattr(head, name).clone() for name in EncoderHead.NAMES}
    return {
        name: (tensor.half() if name in large else tensor.float()).contiguous()
        for name, tensor in tensors.items()
    }


def explained(codes: Tensor, wanted: Tensor, mean: Tensor) -> list[float]:
    """Share of the variance of w that is explained, for each group of rows.

    Args:
        codes, wanted: (n, n_groups, w_dim). mean: (n_groups, w_dim), what explains nothing.
    """
    error = (codes - wanted).square().sum((0, 2))
    spread = (wanted - mean).square().sum((0, 2))
    return [1 - float(error[i] / spread[i]) for i in range(len(ROW_GROUPS))]
