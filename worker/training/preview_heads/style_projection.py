"""Which combinations of latents matter to the layers that a preview head stands in for.

The skipped layers see their rows of latents only through their modulations. A head that reads
the rows themselves, some thousand numbers, learns a few hundred faces by heart and gets the
colours of new faces wrong; so it reads the principal components of those modulations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from photorig.worker.generators.layers import Affine
from photorig.worker.generators.mobile_stylegan import MobileStyleGAN


@dataclass(frozen=True)
class StyleProjection:
    """style = matrix · rows + offset, for flattened rows from ``first_row`` on.

    Attributes:
        matrix: (n_components, n_rows · 512), offset: (n_components,).
        explained: part of the variance of the modulations that the components hold.
    """

    matrix: Tensor
    offset: Tensor
    explained: float


@torch.no_grad()
def style_projection(
    network: MobileStyleGAN, first_row: int, latents: Tensor, n_components: int
) -> StyleProjection:
    """Principal components of the modulations that rows from ``first_row`` on control.

    Args:
        latents: (n, 16, 512), samples of what the head will see.

    The first component has unit variance, the others keep their smaller ones: what matters little
    to the skipped layers is learned slowly.
    """
    rows = latents[:, first_row:].flatten(1).double()
    mean = rows.mean(dim=0)
    modulations = _modulation_matrix(network, first_row).double()
    values = (rows - mean) @ modulations.T
    variances, components = torch.linalg.eigh(values.T @ values / len(values))
    strongest = components[:, -n_components:].flip(1)
    matrix = (strongest.T @ modulations) / variances[-1].sqrt()
    explained = float(variances[-n_components:].sum() / variances.sum())
    return StyleProjection(matrix.float(), -(matrix @ mean).float(), explained)


def _modulation_matrix(network: MobileStyleGAN, first_row: int) -> Tensor:
    """(all channels of the skipped layers, rows · 512); each layer at its usual strength of 1."""
    layers = [(row, affine) for row, affine in _row_readers(network) if row >= first_row]
    w_dim = network.w_dim
    n_channels = sum(len(affine.bias) for _, affine in layers)
    matrix = torch.zeros(n_channels, (network.n_rows - first_row) * w_dim)
    start = 0
    for row, affine in layers:
        usual = affine.weight @ network.mean_latent + affine.bias
        end, column = start + len(usual), (row - first_row) * w_dim
        matrix[start:end, column : column + w_dim] = affine.weight / usual.square().mean().sqrt()
        start = end
    return matrix


def _row_readers(network: MobileStyleGAN) -> list[tuple[int, Affine]]:
    """The row and the modulation of each layer after the 4² convolution."""
    readers: list[tuple[int, Affine]] = []
    block: Any  # the type checker knows a ModuleList's members as modules of any kind
    for index, block in enumerate(network.blocks):
        readers.append((2 * index + 1, block.upsampling_modulation))
        readers.append((2 * index + 1, block.modulation1))
        readers.append((2 * index + 2, block.modulation2))
    readers.append((network.n_rows - 1, network.image_head.modulation))
    return readers
