"""StyleGAN2 as a differentiable torch module. The weights: weights.py.

A layer scales its input by its styles, convolves with weights that all images share, and scales
its output back to unit variance: as modulating the weights themselves (section 2.2 of the paper),
but for images with a style of their own at every pixel, and without a convolution per image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..layers import RegionalRow, as_tensor, on_regions, regional_rows
from ..network import Network, Stage
from ..style_space import STYLE_ROWS, Styles, difference_arrays
from ..weights import SLOPE
from .weights import MAPPING_RATE, StyleGan2Weights, is_tunable, side_of

_KERNEL = (1.0, 3.0, 3.0, 1.0)
_EPSILON = 1e-8


class Linear(nn.Module):
    """A layer of StyleGAN2, whose weights are stored with unit variance."""

    def __init__(self, weight: Tensor, bias: Tensor, rate: float = 1.0) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self._weight_gain, self._bias_gain = rate / math.sqrt(weight.shape[1]), rate

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * self._weight_gain, self.bias * self._bias_gain)

    def change(self, delta: Tensor) -> Tensor:
        """By how much the output changes with the input."""
        return functional.linear(delta, self.weight * self._weight_gain)


class ModulatedLayer(nn.Module):
    """What an image layer and a convolution share: styles, as one row of latents says.

    Attributes:
        affine: row (b, w_dim) → style (b, channels in); this is a vector of S-space.
    """

    def __init__(self, weights: StyleGan2Weights, name: str) -> None:
        super().__init__()

        def tensor(part: str) -> Tensor:
            return as_tensor(weights.tensors[f"{name}.{part}"])

        self.weight, self.bias = nn.Parameter(tensor("weight")), nn.Parameter(tensor("bias"))
        self.affine = Linear(tensor("affine.weight"), tensor("affine.bias"))
        self.clamp, self.side = weights.clamp, side_of(name)

    def _style_map(self, style: Tensor, region: RegionalRow | None) -> Tensor:
        """(b, channels, 1, 1), or (b, channels, h, w) where regions differ."""
        whole = style[:, :, None, None]
        if region is None:
            return whole
        deltas, masks = region
        with torch.autocast(style.device.type, enabled=False):
            return whole + on_regions(self.affine.change(deltas), masks)

    def _held(self, features: Tensor) -> Tensor:
        return features if self.clamp is None else features.clamp(-self.clamp, self.clamp)


class Convolution(ModulatedLayer):
    """Modulated 3×3 convolution, upsampling where it begins a block → noise, bias, leaky ReLU."""

    noise: Tensor
    kernel: Tensor
    is_fused = False
    """Whether styles go into the weights where no region differs, see `StyleGan2.fuse`."""

    def __init__(self, weights: StyleGan2Weights, name: str, doubles: bool) -> None:
        super().__init__(weights, name)
        self.doubles = doubles
        noise = as_tensor(weights.tensors[f"{name}.noise_const"])
        strength = float(weights.tensors[f"{name}.noise_strength"])
        self.register_buffer("noise", noise * strength)
        self.register_buffer("kernel", blur_kernel(4.0), persistent=False)

    def forward(self, x: Tensor, style: Tensor, region: RegionalRow | None = None) -> Tensor:
        if self.is_fused and region is None:
            x = self._fused(x, style)
            x = x + (self.noise + self.bias[:, None, None]).to(x.dtype)
        else:
            styles = self._style_map(style, region)
            demodulation = self._demodulation(style, styles if region else None)
            if self.is_fused:
                held = self._within_half(style)
                styles, demodulation = styles * held, demodulation / held
            x = self._convolved(x * styles, self.weight)
            x = x * demodulation + (self.noise.to(x.dtype) + self.bias[:, None, None])
        return self._held(functional.leaky_relu(x, SLOPE) * math.sqrt(2))

    def _convolved(self, x: Tensor, weight: Tensor, groups: int = 1) -> Tensor:
        """(b, g · in, h, w) with weights (g · out, in, 3, 3), upsampled where a block begins."""
        if not self.doubles:
            return functional.conv2d(x, weight, padding=1, groups=groups)
        weight = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
        x = functional.conv_transpose2d(x, weight, stride=2, groups=groups)
        return blurred(x, self.kernel, padding=1)

    def _fused(self, x: Tensor, style: Tensor) -> Tensor:
        """The same with weights of each image's own, modulated and demodulated in f32: no pass over
        the features, and nothing that could grow beyond half precision."""
        batch, height, width = len(style), *x.shape[2:]
        with torch.autocast(style.device.type, enabled=False):
            weight = self.weight * style[:, None, :, None, None]
            weight = weight * (weight.square().sum((2, 3, 4), True) + _EPSILON).rsqrt()
        x = x.reshape(1, -1, height, width)
        x = self._convolved(x, weight.flatten(0, 1), groups=batch)
        return x.reshape(batch, -1, *x.shape[2:])

    def _within_half(self, style: Tensor) -> Tensor:
        """(b, 1, 1, 1): what styles are scaled by, so that sums of products stay below the largest
        number of half precision."""
        largest = style.abs().amax(1).clamp_min(_EPSILON)[:, None, None, None]
        return 1 / (largest * math.sqrt(self.weight[0].numel()))

    def _demodulation(self, style: Tensor, styles: Tensor | None) -> Tensor:
        """One over the standard deviation of what each channel gives for inputs of unit variance;
        where no region differs these are the same numbers with regions and without."""
        with torch.autocast(style.device.type, enabled=False):
            energy = self.weight.square().sum((2, 3))
            total = functional.linear(style.square(), energy)[:, :, None, None] + _EPSILON
            if styles is not None:
                change = styles.square() - style.square()[:, :, None, None]
                change = torch.einsum("oi,bihw->bohw", energy, change)
                if self.doubles:
                    change = functional.interpolate(change, scale_factor=2.0, mode="bilinear")
                total = (total + change).clamp_min(_EPSILON)
            return total.rsqrt()


class ImageLayer(ModulatedLayer):
    """Features → what they add to the image: a modulated 1×1 convolution."""

    def forward(self, x: Tensor, style: Tensor, region: RegionalRow | None = None) -> Tensor:
        gain = 1 / math.sqrt(self.weight.shape[1])
        styles = self._style_map(style, region) * gain
        return self._held(functional.conv2d(x * styles, self.weight, self.bias))


class StyleGan2(Network):
    """Latents in, images out. Frozen; gradients flow to the latents.

    Names of parameters are those of NVIDIA's file, as in `StyleGan2Weights.tensors`.

    Attributes:
        form: how large it is.
        mean_latent, latent_std: (w_dim,) float32, over random z.
    """

    kernel: Tensor

    def __init__(self, weights: StyleGan2Weights) -> None:
        super().__init__()
        self.model_id, self.form = weights.model_id, weights.form
        self.n_rows, self.w_dim, self.sizes = self.form.n_rows, self.form.w_dim, self.form.sizes
        self.z_dim = self.form.z_dim
        tensors = weights.tensors
        self.mapping = nn.ModuleDict()
        for index in range(self.form.n_mapping):
            name = f"mapping.fc{index}"
            weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
            self.mapping[f"fc{index}"] = Linear(
                as_tensor(weight), as_tensor(bias), float(MAPPING_RATE)
            )
        self.synthesis = nn.ModuleDict(
            {f"b{side}": self._block(weights, side) for side in self.form.sides}
        )
        self.const = nn.Parameter(as_tensor(tensors["synthesis.b4.const"]))
        self.register_buffer("kernel", blur_kernel(4.0), persistent=False)
        self.register_buffer("mean_latent", as_tensor(weights.statistics.mean))
        self.register_buffer("latent_std", as_tensor(weights.statistics.std))
        self.requires_grad_(False)
        self.eval()

    @staticmethod
    def _block(weights: StyleGan2Weights, side: int) -> nn.ModuleDict:
        name = f"synthesis.b{side}"
        block = nn.ModuleDict()
        if side > 4:
            block["conv0"] = Convolution(weights, f"{name}.conv0", doubles=True)
        block["conv1"] = Convolution(weights, f"{name}.conv1", doubles=False)
        block["torgb"] = ImageLayer(weights, f"{name}.torgb")
        return block

    def fuse(self) -> None:
        """From now on modulate weights, not features, wherever regions do not forbid it: for half
        precision, where passes over large features are what takes time. Numbers differ by rounding.
        """
        for layer in self.modules():
            if isinstance(layer, Convolution):
                layer.is_fused = True

    def map(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """z (b, z_dim) → w (b, w_dim), pulled towards the mean latent by ``truncation``."""
        mean = self.mean_latent
        x = z.to(mean.device)
        x = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + _EPSILON)
        for layer in self.mapping.values():
            x = functional.leaky_relu(layer(x), SLOPE) * math.sqrt(2)
        w = x if truncation == 1.0 else mean + truncation * (x - mean)
        return w.to(z.device)

    def layers(self) -> Iterator[tuple[str, int, ModulatedLayer]]:
        """(name, row of latents that it reads, layer), image layers last in their blocks."""
        for index, (name, block) in enumerate(self.synthesis.items()):
            row = max(0, 2 * index - 1)
            assert isinstance(block, nn.ModuleDict)
            for part, layer in block.items():
                assert isinstance(layer, ModulatedLayer)
                yield f"{name}.{part}", row, layer
                row += 1

    def style_space(self, latents: Tensor) -> dict[str, Tensor]:
        """latents (b, n_rows, w_dim) → style (b, channels) of each layer, in StyleSpace's order:
        the image layer's behind those of its block. Without those that end in ``torgb`` it is the
        order of StyleMask and of rosinality's code."""
        # In full precision whatever the rest is in: else a slow move goes in jumps.
        with torch.autocast(latents.device.type, enabled=False):
            return {name: layer.affine(latents[:, row]) for name, row, layer in self.layers()}

    def from_styles(
        self, styles: dict[str, Tensor], regions: dict[int, RegionalRow] | None = None
    ) -> Tensor:
        """Styles as `style_space` gives them → images (b, 3, side, side) in about [-1, 1].

        Args:
            regions: by row of latents, by how much regions of all images differ.
        """
        *_, (_, image) = self._images(styles, regions or {})
        return image

    def _images(
        self, styles: dict[str, Tensor], regions: dict[int, RegionalRow]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Features and image so far after each block."""
        batch = len(next(iter(styles.values())))
        x = self.const.expand(batch, -1, -1, -1)
        image: Tensor | None = None
        for name, row, layer in self.layers():
            if isinstance(layer, ImageLayer):
                addition = layer(x, styles[name], regions.get(row)).float()
                image = addition if image is None else doubled(image, self.kernel) + addition
                yield x, image
            else:
                x = layer(x, styles[name], regions.get(row))

    def features(self, latents: Tensor, n_blocks: int) -> Iterator[Tensor]:
        """The hidden features after each of the blocks that double the side: 8², 16², …"""
        images = self._images(self.style_space(latents), {})
        next(images)  # of 4²
        for features, _ in islice(images, n_blocks):
            yield features

    def styles(self, latents: Tensor) -> Tensor:
        """Latents (b, n_rows, w_dim) → their vectors of StyleSpace (b, n), see style_space.py."""
        found = self.style_space(latents)
        return torch.cat([found[name] for name in self._offset_layers()], 1)

    def forward(
        self,
        latents: Tensor,
        size: int = 0,
        exact: bool = False,
        styles: Styles | Tensor | None = None,
    ) -> Tensor:
        """latents (b, n_rows, w_dim) → images (b, 3, size, size) in about [-1, 1], not clamped.

        Args:
            size: 0 is the network's own side.
            exact: nothing; small images are always the large one averaged.
            styles: by how much regions of all images, or their factors, differ from the latents.
        """
        if isinstance(styles, Tensor):
            changes = [styles]
        else:
            arrays = difference_arrays(styles, self.w_dim)
            changes = [torch.from_numpy(values).to(self.const.device) for values in arrays]
        return self.drawn(latents, size or self.form.side, *changes)

    def drawn(self, latents: Tensor, size: int, *differences: Tensor) -> Tensor:
        """As `forward`.

        Args:
            differences: what `difference_arrays` gives, of all images or, with the batch before,
                of each.
        """
        styles = self.style_space(latents)
        regions = None
        if len(differences) == 1:
            names = self._offset_layers()
            parts = differences[0].split([styles[name].shape[1] for name in names], -1)
            styles |= {name: styles[name] + part for name, part in zip(names, parts, strict=True)}
        elif differences:
            regions = regional_rows(*differences)
        return resized(self.from_styles(styles, regions), size)

    def begun(self, latents: Tensor, size: int) -> Stage:
        """See `Network.begun`."""
        latents = latents.to(self.const.device)
        x, image = self._continued(latents, self.const.expand(len(latents), -1, -1, -1), 0, size)
        return Stage(latents, size, x, image)

    def larger(self, stage: Stage) -> dict[int, Tensor]:
        """See `Network.larger`; none where the network itself makes no larger ones."""
        sizes = [size for size in self.sizes if stage.size < size <= self.form.side]
        if not sizes:
            return {}
        _, image = self._continued(
            stage.latents, stage.features, stage.size, self.form.side, stage.image
        )
        return {size: resized(image, size) for size in sizes}

    def _continued(
        self, latents: Tensor, x: Tensor, after: int, until: int, image: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Features and image of the block of side ``until``, from those of side ``after``."""
        for _, row, layer in self.layers():
            if not after < layer.side <= until:
                continue
            style = layer.affine(latents[:, row])
            if isinstance(layer, ImageLayer):
                addition = layer(x, style).float()
                image = addition if image is None else doubled(image, self.kernel) + addition
            else:
                x = layer(x, style)
        assert image is not None
        return x, image

    def is_tunable(self, name: str) -> bool:
        """See `Network.is_tunable`."""
        return is_tunable(name)

    def is_beyond(self, name: str, size: int) -> bool:
        """See `Network.is_beyond`."""
        return is_tunable(name) and side_of(name) > size

    def _offset_layers(self) -> list[str]:
        """Layers that `StyleOffsets` has factors of: convolutions of the coarser rows."""
        return [
            name
            for name, row, layer in self.layers()
            if row < STYLE_ROWS and not isinstance(layer, ImageLayer)
        ]


def resized(image: Tensor, size: int) -> Tensor:
    """An image (b, 3, side, side) at another side."""
    side = image.shape[-1]
    if size < side:
        return functional.avg_pool2d(image, side // size)
    if size > side:
        return functional.interpolate(image, (size, size), mode="bicubic", align_corners=False)
    return image


def blur_kernel(gain: float) -> Tensor:
    """(4, 4), the outer product of [1, 3, 3, 1] with itself, of sum ``gain``."""
    line = torch.tensor(_KERNEL)
    return torch.outer(line, line) * (gain / line.sum() ** 2)


def blurred(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """Every channel of (b, c, h, w) with the same kernel."""
    channels = x.shape[1]
    weight = kernel.to(x.dtype).expand(channels, 1, -1, -1)
    return functional.conv2d(x, weight, padding=padding, groups=channels)


def doubled(image: Tensor, kernel: Tensor) -> Tensor:
    """An image (b, c, h, w) at twice the side, interpolated by the kernel."""
    channels = image.shape[1]
    weight = kernel.to(image.dtype).expand(channels, 1, -1, -1)
    return functional.conv_transpose2d(image, weight, stride=2, padding=1, groups=channels)
