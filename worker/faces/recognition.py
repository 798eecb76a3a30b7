"""Who is in the picture, by a network that tells people apart sharply: SFace, differentiable.

SFace (Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition",
2021) in the form of the OpenCV Zoo: a MobileNet (Howard et al., 2017) that ends in 128 numbers.
The losses of training and fitting may use it, so it is no judge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photorig.shared.errors import ModelError
from photorig.worker.importers.onnx import read_weights

from . import geometry

MODEL = "sface"
WEIGHTS_FILE = "sface.onnx"
CHIP_SIZE = 112
N_IDENTITY = 128

_N_LAYERS = 14
_HALVING = (3, 5, 7, 13)  # layers whose depthwise convolution has stride 2
_SHOWN = (4, 8, 12, 20)  # modules whose outputs are maps: 56², 28² and twice 14²
_LAYER_EPSILON, _END_EPSILON = 1e-3, 2e-5  # of the batch normalisations

_EYES = ((33, 133), (362, 263))  # corners: unlike the irises they stay where they are in a glance
_NOSE, _MOUTH = 1, (61, 291)
_FIVE_POINTS = (
    # the subject's right eye, left eye, nose, corners of the mouth in an aligned picture
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
_MAXIMUM_SAMPLES = 8  # along an axis of a chip's pixel


def recognition_chips(images: Tensor, landmarks_px: Tensor, size: int = CHIP_SIZE) -> Tensor:
    """Faces brought onto ArcFace's five places by a similarity transform, without aliasing.

    Args:
        images: (b, 3, h, w).
        landmarks_px: (b, 478, 2 or 3) pixels.

    Returns:
        (b, 3, size, size) in the images' own range.
    """
    points = torch.stack(
        [landmarks_px[:, list(pair), :2].mean(1) for pair in _EYES]
        + [landmarks_px[:, i, :2] for i in (_NOSE, *_MOUTH)],
        1,
    )
    places = points.new_tensor(_FIVE_POINTS) - CHIP_SIZE / 2
    middle = places.mean(0)
    places, centred = places - middle, points - points.mean(1, keepdim=True)
    length = (places**2).sum()
    cosine = (places * centred).sum((1, 2)) / length
    sine = (places[:, 0] * centred[..., 1] - places[:, 1] * centred[..., 0]).sum(1) / length
    across = torch.stack([cosine, sine], -1)
    down = torch.stack([-sine, cosine], -1)
    centre = points.mean(1) - middle[0] * across - middle[1] * down
    side = across.norm(dim=-1) * CHIP_SIZE
    regions = torch.cat([centre, side[:, None], torch.atan2(sine, cosine)[:, None]], -1)
    # Several samples a pixel where a chip is smaller than the face: the network sees no aliasing.
    samples = int((side.max() / size - 0.01).ceil().clamp(1, _MAXIMUM_SAMPLES))
    return F.avg_pool2d(geometry.crop(images, regions, size * samples), samples)


class _Layer(nn.Module):
    """Convolution, batch normalisation folded into it, PReLU."""

    kernel: Tensor
    bias: Tensor
    slope: Tensor

    def __init__(self, weights: dict[str, np.ndarray], name: str, stride: int) -> None:
        super().__init__()
        scale, shift = _normalisation(weights, f"{name}_batchnorm", _LAYER_EPSILON)
        kernel = weights[f"{name}_conv2d_weight"] * scale[:, None, None, None]
        tensor = torch.from_numpy(kernel.astype(np.float32))
        tensor = tensor.to(memory_format=torch.channels_last)
        self.register_buffer("kernel", tensor, persistent=False)
        self.register_buffer("bias", torch.from_numpy(shift), persistent=False)
        slope = torch.from_numpy(weights[f"{name}_relu_gamma"].reshape(-1).copy())
        self.register_buffer("slope", slope, persistent=False)
        self.stride, self.padding = stride, kernel.shape[-1] // 2
        self.groups = len(kernel) if kernel.shape[1] == 1 else 1

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.kernel, self.bias, self.stride, self.padding, groups=self.groups)
        return F.prelu(x, self.slope)


@dataclass(frozen=True, eq=False)
class FaceFeatures:
    """What the network sees of b faces.

    Attributes:
        identity: (b, 128) of length 1.
        maps: (b, c, s, s), features on the way there, of length 1 at each place of the face.
    """

    identity: Tensor
    maps: tuple[Tensor, ...]


def map_distance(one: FaceFeatures, other: FaceFeatures) -> Tensor:
    """() how differently two faces look, place by place: 0 if they are the same, about 1 for two
    people. A perceptual distance (Zhang et al. 2018, "The Unreasonable Effectiveness of Deep
    Features as a Perceptual Metric") by a network that knows what tells people apart."""
    pairs = zip(one.maps, other.maps, strict=True)
    return torch.stack([(a - b).square().sum(1).mean() for a, b in pairs]).mean()


class Recognition(nn.Module):
    """Images and landmarks to unit vectors; frozen, differentiable with respect to the images."""

    last: Tensor
    last_bias: Tensor

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        """weights: by name, as `read_weights` gives them. Raises ModelError: another network's."""
        super().__init__()
        try:
            layers = [_Layer(weights, "conv_1", 1)]
            for i in range(2, _N_LAYERS + 1):
                layers.append(_Layer(weights, f"conv_{i}_dw", 2 if i in _HALVING else 1))
                layers.append(_Layer(weights, f"conv_{i}", 1))
            last, bias = _last_layer(weights)
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"The face recognition network is another one: {error}",
                f"Run `photorig models fetch {MODEL}`.",
            ) from error
        self.layers = nn.Sequential(*layers)
        self.register_buffer("last", torch.from_numpy(last), persistent=False)
        self.register_buffer("last_bias", torch.from_numpy(bias), persistent=False)
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Where it computes; what it looks at has to lie there."""
        return self.last.device

    def forward(self, images: Tensor, landmarks_px: Tensor) -> Tensor:
        """Who it is in each image.

        Args:
            images: (b, 3, h, w) RGB in [0, 1].
            landmarks_px: (b, 478, 3) pixels, as `FaceLandmarker.measure` gives them.

        Returns:
            (b, 128) of length 1; compare by cosine.
        """
        return self.face_features(images, landmarks_px).identity

    def face_features(self, images: Tensor, landmarks_px: Tensor) -> FaceFeatures:
        """As `forward`, with the maps."""
        # No gradient may flow through where the chip is cut: it would reward moving the eyes.
        return self.features_of_chips(recognition_chips(images, landmarks_px.detach()))

    def embed(self, chips: Tensor) -> Tensor:
        """(b, 3, 112, 112) aligned chips, RGB in [0, 1], to (b, 128) of length 1."""
        return self.features_of_chips(chips).identity

    def features_of_chips(self, chips: Tensor) -> FaceFeatures:
        """As `embed`, with the maps."""
        x = ((chips * 255 - 127.5) / 128).contiguous(memory_format=torch.channels_last)
        maps = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in _SHOWN:
                maps.append(F.normalize(x, dim=1))
        # The last layer's weights are in the order channel, row, column.
        flat = x.contiguous().flatten(1)
        identity = F.normalize(F.linear(flat, self.last, self.last_bias), dim=-1)
        return FaceFeatures(identity, tuple(maps))


def load_recognition() -> Recognition:
    """The registry's face recognition network, float32, frozen. Raises ModelError."""
    from photorig.worker.registry import fetch

    return Recognition(read_weights((fetch(MODEL) / WEIGHTS_FILE).read_bytes()))


def _normalisation(
    weights: dict[str, np.ndarray], name: str, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift (channels,) float32 of a batch normalisation at rest."""
    gamma, beta, mean, variance = (
        weights[f"{name}_{part}"].astype(np.float64)
        for part in ("gamma", "beta", "moving_mean", "moving_var")
    )
    scale = gamma / np.sqrt(variance + epsilon)
    return scale.astype(np.float32), (beta - mean * scale).astype(np.float32)


def _last_layer(weights: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(128, 50176) and (128,): the dense layer with the normalisations about it folded in."""
    scale, shift = _normalisation(weights, "bn1", _END_EPSILON)
    outer_scale, outer_shift = _normalisation(weights, "fc1", _END_EPSILON)
    dense = weights["pre_fc1_weight"].reshape(N_IDENTITY, len(scale), -1)
    bias = weights["pre_fc1_bias"] + dense.sum(2) @ shift
    folded = dense * (outer_scale[:, None] * scale)[..., None]
    return folded.reshape(N_IDENTITY, -1), bias * outer_scale + outer_shift
