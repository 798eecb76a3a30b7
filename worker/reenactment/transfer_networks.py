"""The networks of method ``transfer``: a motion encoder, and a mapper into W+.

Jahoda and Čech, arXiv 2504.13021: what a driver does and who somebody is are encoded each for
itself, and one linear layer a row makes the code of the one doing the other. The identity encoder
is the project's photo encoder, or a whole fit; the motion encoder looks through the frozen landmark
network of Net3D, which sees real faces and generated ones alike.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from photorig.shared.errors import ModelError
from photorig.worker.faces.landmarker import FaceLandmarker

MODEL = "transfer"
WEIGHTS_FILE = "transfer.safetensors"
N_LANDMARKS = 478
_HIDDEN, _NARROW = 512, 256


class MotionEncoder(nn.Module):
    """Landmarks of an aligned face → its pose and expression as a code (n_rows, w_dim)."""

    mean: Tensor
    scale: Tensor

    def __init__(self, n_rows: int, w_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3 * N_LANDMARKS))
        self.register_buffer("scale", torch.ones(3 * N_LANDMARKS))
        self.layers = nn.Sequential(
            nn.Linear(3 * N_LANDMARKS, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, _NARROW),
            nn.GELU(),
            nn.Linear(_NARROW, n_rows * w_dim),
            nn.Unflatten(1, (n_rows, w_dim)),
        )

    def forward(self, landmarks: Tensor) -> Tensor:
        """(b, 478, 3) in sides of the aligned square → (b, n_rows, w_dim)."""
        codes: Tensor = self.layers((landmarks.flatten(1) - self.mean) * self.scale)
        return codes


class TransferNetworks(nn.Module):
    """Motion encoder and mapper.

    The paper's mapper reads both codes, the identity's in full. It is linear, so what it takes off
    an identity's code is what that picture itself shows of motion; said in this way, a source that
    is driven by its own picture stays what it is, and half of the weights are not needed.
    """

    def __init__(self, n_rows: int, w_dim: int) -> None:
        super().__init__()
        self.motion = MotionEncoder(n_rows, w_dim)
        self.mapper = nn.Parameter(0.02 * torch.randn(n_rows, w_dim, w_dim) / w_dim**0.5)

    def forward(self, driver: Tensor, source: Tensor, identity: Tensor) -> Tensor:
        """Landmarks of drivers and of sources (b, 478, 3), codes of sources (b, n_rows, w_dim), to
        latents."""
        return identity + self.motion_part(driver) - self.motion_part(source)

    def motion_part(self, landmarks: Tensor) -> Tensor:
        """(b, n_rows, w_dim) what faces (b, 478, 3) add to a code by what they do."""
        return torch.einsum("brw,rwv->brv", self.motion(landmarks), self.mapper)


@torch.no_grad()
def aligned_landmarks(landmarker: FaceLandmarker, crops: Tensor) -> tuple[Tensor, Tensor]:
    """Landmarks (b, 478, 3) in sides of aligned crops (b, 3, s, s) in [0, 1], and (b,) found."""
    regions, found = landmarker.detect_regions(crops)
    return landmarker.measure(crops, regions).landmarks_px / crops.shape[-1], found


def read_transfer_networks(path: Path, n_rows: int, w_dim: int) -> TransferNetworks:
    """The networks in a file. Raises ModelError where it is missing, damaged or of another form."""
    networks = TransferNetworks(n_rows, w_dim)
    try:
        networks.load_state_dict({name: one.float() for name, one in load_file(path).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(
            f"The transfer networks cannot be read: {error}",
            f"Run 'photorig models verify {MODEL}'.",
        ) from error
    return networks.eval().requires_grad_(False)
