"""Who is in the picture: dlib's ResNet face descriptor, differentiable.

``dlib_face_recognition_resnet_model_v1`` by Davis King in the 8-bit form of face-api.js. Two
descriptors of one person are typically 0.3 apart (L2), of two people 0.8; dlib's threshold is 0.6.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photorig.shared.errors import ModelError
from photorig.worker.importers import tfjs

from . import geometry

WEIGHTS_FILE = "face_recognition_model.bin"
MANIFEST_FILE = "face_recognition_model-weights_manifest.json"
CHIP_SIZE = 150

_MEAN = (122.782, 117.001, 104.298)  # RGB, 0…255
_RIGHT_EYE, _LEFT_EYE = (33, 133), (362, 263)  # corners, the subject's sides
_CHIP_SIDE = 3.2  # in distances between the eyes
_CHIP_DROP = 0.55  # chip centre below the eyes, same unit


def face_chips(images: Tensor, landmarks_px: Tensor, size: int = CHIP_SIZE) -> Tensor:
    """Upright crops as dlib's get_face_chip (padding 0.25) places them.

    Args:
        images: (b, 3, h, w) in [0, 1].
        landmarks_px: (b, 478, 2 or 3) pixels.

    Returns:
        (b, 3, size, size) in [0, 255].
    """
    right = landmarks_px[:, _RIGHT_EYE, :2].mean(1)
    left = landmarks_px[:, _LEFT_EYE, :2].mean(1)
    across = left - right
    distance = across.norm(dim=-1, keepdim=True)
    down = torch.stack([-across[:, 1], across[:, 0]], -1)
    centre = (left + right) / 2 + down * _CHIP_DROP
    angle = torch.atan2(across[:, 1], across[:, 0])[:, None]
    regions = torch.cat([centre, distance * _CHIP_SIDE, angle], -1)
    return geometry.crop(images, regions, size) * 255


class _Unit(nn.Module):
    """Convolution, then a scale and shift of each channel folded into it."""

    kernel: Tensor
    bias: Tensor

    def __init__(self, weights: dict[str, np.ndarray], name: str, stride: int, pad: bool) -> None:
        super().__init__()
        scale = weights[f"{name}/scale/weights"]
        kernel = weights[f"{name}/conv/filters"].transpose(3, 2, 0, 1) * scale[:, None, None, None]
        bias = weights[f"{name}/conv/bias"] * scale + weights[f"{name}/scale/biases"]
        tensor = torch.from_numpy(np.ascontiguousarray(kernel, np.float32))
        tensor = tensor.to(memory_format=torch.channels_last)
        self.register_buffer("kernel", tensor, persistent=False)
        self.register_buffer("bias", torch.from_numpy(bias.astype(np.float32)), persistent=False)
        self.stride, self.pad = stride, tensor.shape[-1] // 2 if pad else 0

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel, self.bias, self.stride, self.pad)


class _Residual(nn.Module):
    """Two convolutions beside a shortcut; with ``down`` both halve the resolution."""

    def __init__(self, weights: dict[str, np.ndarray], name: str, down: bool) -> None:
        super().__init__()
        self.down = down
        self.first = _Unit(weights, f"{name}/conv1", 2 if down else 1, pad=not down)
        self.second = _Unit(weights, f"{name}/conv2", 1, pad=True)

    def forward(self, x: Tensor) -> Tensor:
        result = self.second(F.relu(self.first(x)))
        if self.down:
            x = F.avg_pool2d(x, 2)
            rows, columns = (x.shape[axis] - result.shape[axis] for axis in (2, 3))
            result = F.pad(result, (0, max(columns, 0), 0, max(rows, 0)))
            x = F.pad(x, (0, max(-columns, 0), 0, max(-rows, 0), 0, result.shape[1] - x.shape[1]))
        return F.relu(result + x)


class IdentityDescriptor(nn.Module):
    """(b, 3, 150, 150) chips in [0, 255] to (b, 128) descriptors; frozen."""

    mean: Tensor
    last: Tensor

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        """weights: by name, as `read_weights` gives them."""
        super().__init__()
        self.stem = _Unit(weights, "conv32_down", 2, pad=False)
        blocks = [(f"conv32_{i}", False) for i in (1, 2, 3)]
        for width, count in ((64, 3), (128, 2), (256, 2)):
            blocks.append((f"conv{width}_down", True))
            blocks.extend((f"conv{width}_{i}", False) for i in range(1, count + 1))
        blocks.append(("conv256_down_out", True))
        self.blocks = nn.Sequential(*(_Residual(weights, *block) for block in blocks))
        self.register_buffer("last", torch.from_numpy(weights["fc"].copy()), persistent=False)
        mean = torch.tensor(_MEAN)[:, None, None]
        self.register_buffer("mean", mean, persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, chips: Tensor) -> Tensor:
        x = ((chips - self.mean) / 256).contiguous(memory_format=torch.channels_last)
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2)
        return self.blocks(x).mean((2, 3)).matmul(self.last)


def read_weights(folder: Path) -> dict[str, np.ndarray]:
    """face-api.js weights, de-quantised to float32. Raises ModelError where damaged."""
    try:
        data = (folder / WEIGHTS_FILE).read_bytes()
        manifest = json.loads((folder / MANIFEST_FILE).read_text())
        return tfjs.read_weights(manifest, data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The face descriptor cannot be read: {error}",
            "Run `photorig models fetch face-descriptor`.",
        ) from error


def load_descriptor() -> IdentityDescriptor:
    """The registry's identity descriptor, float32, frozen. Raises ModelError."""
    from photorig.worker.registry import fetch

    return IdentityDescriptor(read_weights(fetch("face-descriptor")))
