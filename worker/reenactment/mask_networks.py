"""StyleMask's networks: which factors of a picture another face's pose and expression sit in.

Bounareli, Tzelepis, Argyriou, Patras and Tzimiropoulos, "StyleMask: Disentangling the Style Space
of StyleGAN2 for Neural Face Reenactment", 2023: for the factors of each row,

    m = σ(W₂ ReLU(W₁ (s_source − s_driver) + b₁) + b₂),   s = m · s_driver + (1 − m) · s_source
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from photorig.shared.errors import ModelError

MODEL = "stylemask"
WEIGHTS_FILE = "stylemask.safetensors"


class MaskNetworks(nn.Module):
    """One network for each row of factors; its hidden layer is as wide as the row.

    Args:
        slices: where each row's factors are in a vector of StyleSpace.
    """

    def __init__(self, slices: Sequence[slice]) -> None:
        super().__init__()
        self.slices = tuple(slices)
        widths = [rows.stop - rows.start for rows in self.slices]
        self.networks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for width in widths
        )
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.01)

    def forward(self, difference: Tensor) -> Tensor:
        """s_source − s_driver (b, n) → masks (b, n) in (0, 1)."""
        pairs = zip(self.networks, self.slices, strict=True)
        return torch.sigmoid(
            torch.cat([network(difference[:, rows]) for network, rows in pairs], 1)
        )

    def offsets(self, source: Tensor, driver: Tensor) -> Tensor:
        """(b, n) what the source's factors (b, n) are moved by to show the driver's motion."""
        return self(source - driver) * (driver - source)


def read_mask_networks(path: Path, slices: Sequence[slice]) -> MaskNetworks:
    """The networks in a file. Raises ModelError where it is missing, damaged or of another form."""
    networks = MaskNetworks(slices)
    try:
        state = {name: tensor.float() for name, tensor in load_file(path).items()}
        networks.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(
            f"The mask networks cannot be read: {error}", f"Run 'photorig models verify {MODEL}'."
        ) from error
    return networks.eval().requires_grad_(False)
