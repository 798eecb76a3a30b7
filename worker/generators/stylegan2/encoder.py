"""Encoders of photos that were trained for a StyleGAN2: e4e, pSp and ReStyle, all on IR-SE-50.

Tov et al., "Designing an Encoder for StyleGAN Image Manipulation", 2021 (e4e); Richardson et al.,
"Encoding in Style", 2021 (pSp); Alaluf et al., "ReStyle", 2021, whose encoders also see the picture
of the last guess and say by how much it is off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from photorig.shared.errors import ModelError
from photorig.worker.registry import card, fetch

from .network import Linear

IMAGE_SIDE = 256
RESTYLE_LOOKS = 5
"""Guesses that ReStyle makes, each from the last one's picture."""

_UNITS = (3, 4, 14, 3)
_TAPS = (6, 20)
"""Units of the trunk behind which finer features are taken."""

_COARSE, _MIDDLE = 3, 7
"""Rows before these are read off features of 16² and 32²; the others off 64²."""

_FILE = "encoder.safetensors"


class _Unit(nn.Module):
    """Improved residual unit with squeeze and excitation (InsightFace's IR-SE)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        if n_in == n_out:
            self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        else:
            convolution = nn.Conv2d(n_in, n_out, 1, stride, bias=False)
            self.shortcut_layer = nn.Sequential(convolution, nn.BatchNorm2d(n_out))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(n_in),
            nn.Conv2d(n_in, n_out, 3, 1, 1, bias=False),
            nn.PReLU(n_out),
            nn.Conv2d(n_out, n_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(n_out),
            _Excitation(n_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.shortcut_layer(x) + self.res_layer(x)
        return result


class _Excitation(nn.Module):
    """Each channel times a factor that all of them decide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 16)
        self.fc1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.fc2 = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        mean = functional.relu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.fc2(mean))


class _Head(nn.Module):
    """Features of a side of 2ⁿ → one row of latents, by n convolutions of stride 2."""

    def __init__(self, n_in: int, width: int, n_convolutions: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(n_convolutions):
            layers += [nn.Conv2d(n_in if index == 0 else width, width, 3, 2, 1), nn.LeakyReLU()]
        self.convs = nn.Sequential(*layers)
        self.linear = Linear(torch.zeros(width, width), torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        row: Tensor = self.linear(self.convs(x).flatten(1))
        return row


class StyleEncoder(nn.Module):
    """Pictures (b, 3 or 6, 256, 256) in [-1, 1] → rows of latents (b, n_rows, width).

    Args:
        width: of the first layer, 64 in all that were published.
        row_length: of the latents.
        n_input: 3 colours; 6 where the picture of the last guess is looked at too.
        pyramid: whether finer rows are read off finer features.
        adds_differences: whether rows are differences to the first one.
    """

    def __init__(
        self,
        n_rows: int,
        n_input: int = 3,
        width: int = 64,
        row_length: int = 512,
        pyramid: bool = True,
        adds_differences: bool = True,
    ) -> None:
        super().__init__()
        self.n_rows, self.n_input = n_rows, n_input
        self.pyramid, self.adds_differences = pyramid, adds_differences
        self.input_layer = nn.Sequential(
            nn.Conv2d(n_input, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.PReLU(width)
        )
        units, n_in = [], width
        for stage, count in enumerate(_UNITS):
            n_out = width << stage
            units += [_Unit(n_in, n_out, 2), *(_Unit(n_out, n_out, 1) for _ in range(count - 1))]
            n_in = n_out
        self.body = nn.Sequential(*units)
        depths = [4 + self._place(row) for row in range(n_rows)]
        self.styles = nn.ModuleList(_Head(n_in, row_length, depth) for depth in depths)
        if pyramid:
            self.latlayer1 = nn.Conv2d(4 * width, n_in, 1)
            self.latlayer2 = nn.Conv2d(2 * width, n_in, 1)

    def _place(self, row: int) -> int:
        """Which of the features a row is read off."""
        return 0 if not self.pyramid or row < _COARSE else 1 if row < _MIDDLE else 2

    def forward(self, images: Tensor) -> Tensor:
        features = self._features(images)
        rows = [head(features[self._place(row)]) for row, head in enumerate(self.styles)]
        stacked = torch.stack(rows, dim=1)
        if not self.adds_differences:
            return stacked
        return torch.cat((stacked[:, :1], stacked[:, :1] + stacked[:, 1:]), dim=1)

    def _features(self, images: Tensor) -> list[Tensor]:
        """Of 16², and where there is a pyramid of 32² and 64²."""
        x, taps = self.input_layer(images), []
        for index, unit in enumerate(self.body):
            x = unit(x)
            if index in _TAPS:
                taps.append(x)
        if not self.pyramid:
            return [x]
        fine, middle = taps
        middle = _upsampled(x, middle.shape[-1]) + self.latlayer1(middle)
        fine = _upsampled(middle, fine.shape[-1]) + self.latlayer2(fine)
        return [x, middle, fine]


def _upsampled(x: Tensor, side: int) -> Tensor:
    return functional.interpolate(x, (side, side), mode="bilinear", align_corners=True)


def encoder_from(tensors: Mapping[str, Tensor], adds_differences: bool) -> StyleEncoder:
    """The encoder that tensors by their published names make, frozen.

    Raises:
        ModelError: they make none.
    """
    try:
        n_rows = len({m[1] for name in tensors if (m := _HEAD.match(name))})
        width, n_input = tensors["input_layer.0.weight"].shape[:2]
        row_length = len(tensors["styles.0.linear.bias"])
        with torch.device("meta"):  # nothing is initialised that is replaced in a moment
            encoder = StyleEncoder(
                n_rows, n_input, width, row_length, "latlayer1.weight" in tensors, adds_differences
            )
        missing, unexpected = encoder.load_state_dict(dict(tensors), strict=False, assign=True)
        missing = [name for name in missing if not name.endswith("num_batches_tracked")]
        if missing or unexpected:
            raise ValueError(f"{(missing + unexpected)[0]} does not fit")
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        raise ModelError(f"It is no encoder of the kind of e4e: {error!s:.200}") from error
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.num_batches_tracked = None
    return encoder.eval().requires_grad_(False)


_HEAD = re.compile(r"styles\.(\d+)\.")


class ImportedEncoder:
    """First guesses of latents: what `photorig fit` begins with.

    Args:
        average: (n_rows, w_dim) that the encoder's rows are differences to; 0 where there is none.
        draw: latents (b, n_rows, w_dim) → pictures (b, 3, 256, 256) in [-1, 1].
    """

    def __init__(
        self, encoder: StyleEncoder, average: Tensor, draw: Callable[[Tensor], Tensor]
    ) -> None:
        self.encoder, self.average, self._draw = encoder, average, draw

    def to(self, device: torch.device) -> ImportedEncoder:
        """Computes on a device from now on."""
        self.encoder.to(device)
        self.average = self.average.to(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Aligned images (b, 3, 256, 256) in [0, 1] → latents (b, n_rows, w_dim)."""
        wanted = images * 2 - 1
        latents = self.average.expand(len(images), -1, -1)
        if self.encoder.n_input == 3:
            return latents + self.encoder(wanted)
        for _ in range(RESTYLE_LOOKS):
            seen = self._draw(latents)
            latents = latents + self.encoder(torch.cat((wanted, seen), dim=1))
        return latents


def load_imported_encoder(name: str, draw: Callable[[Tensor], Tensor]) -> ImportedEncoder:
    """An encoder that `photorig models import` brought.

    Args:
        name: of its card.
        draw: see `ImportedEncoder`.

    Raises:
        ModelError: there is none of that name, or it is damaged.
    """
    found = card(name)
    if found.kind != "encoder" or found.source.type != "imported":
        raise ModelError(f"{name} is no encoder that was imported")
    path: Path = fetch(name) / _FILE
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is damaged", "Import it again.") from error
    average = tensors.pop("latent_avg", None)
    layout = found.facts.get("layout", {})
    encoder = encoder_from(tensors, bool(layout.get("adds_differences", True)))
    if average is None:
        average = torch.zeros(len(tensors["styles.0.linear.bias"]))
    if average.ndim < 2:
        average = average.expand(encoder.n_rows, -1)
    return ImportedEncoder(encoder, average, draw)
