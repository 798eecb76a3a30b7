"""StyleGAN2 in plain torch gives what NVIDIA's own code gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photorig.shared.errors import ModelError
from photorig.worker.generators.stylegan2.network import Convolution, StyleGan2
from photorig.worker.generators.stylegan2.weights import StyleGan2Form, StyleGan2Weights
from photorig.worker.generators.weights import LatentStatistics

from .checkpoint_files import CLAMPED, PLAIN, Golden, golden

TOLERANCE = 1e-4


def weights_of(network: Golden) -> StyleGan2Weights:
    mean = network.plain["mapping.w_avg"]
    return StyleGan2Weights(network.plain, network.clamp, LatentStatistics(mean, mean))


@pytest.fixture(params=[PLAIN, CLAMPED])
def network(request: pytest.FixtureRequest) -> Golden:
    return golden(request.param)


def test_form_follows_from_the_shapes(network: Golden) -> None:
    form = weights_of(network).form
    assert form.side == network.options["img_resolution"]
    assert form.n_mapping == network.options["mapping_kwargs"]["num_layers"]
    assert form.n_rows == network.values["in.w_plus"].shape[1]


def test_latents_are_those_of_the_original(network: Golden) -> None:
    weights, z = weights_of(network), network.values["in.z"]
    wanted = network.values["out.w_truncated_0.7"]
    generator = StyleGan2(weights)
    w = generator.expand(generator.map(torch.from_numpy(z), 0.7)).numpy()
    assert np.abs(w - wanted).max() <= TOLERANCE
    assert np.abs(weights.map(z, 0.7) - wanted[:, 0]).max() <= TOLERANCE


def test_images_are_those_of_the_original(network: Golden) -> None:
    generator = StyleGan2(weights_of(network))
    images = generator(torch.from_numpy(network.values["in.w_plus"])).numpy()
    assert np.abs(images - network.values["out.image_noise_const"]).max() <= TOLERANCE


def test_images_without_noise_are_those_of_the_original(network: Golden) -> None:
    generator = StyleGan2(weights_of(network))
    for layer in generator.modules():
        if isinstance(layer, Convolution):
            layer.noise.zero_()
    images = generator(torch.from_numpy(network.values["in.w_plus"])).numpy()
    assert np.abs(images - network.values["out.image_noise_none"]).max() <= TOLERANCE


def test_styles_are_those_of_the_original_in_its_order(network: Golden) -> None:
    generator = StyleGan2(weights_of(network))
    styles = generator.style_space(torch.from_numpy(network.values["in.w_plus"]))
    stored = {k: v for k, v in network.values.items() if k.startswith("out.style.")}
    assert len(styles) == len(stored)
    for name, style in styles.items():
        wanted = stored[f"out.style.{name}.affine"]
        assert np.abs(style[0].numpy() - wanted).max() <= TOLERANCE


def test_published_lengths_of_style_space() -> None:
    """algorithms.md 1.1: config-f at 1024² has 9088 styles, 6048 without image layers."""
    sides = [4 << i for i in range(9)]
    form = StyleGan2Form(512, 512, 1024, {s: min(512, 32768 // s) for s in sides}, 8)
    layers = list(form.layers())
    with_image_layers = [n_in for _, _, n_in, _ in layers]
    convolutions = [n_in for name, _, n_in, _ in layers if not name.endswith("torgb")]
    assert (len(with_image_layers), sum(with_image_layers)) == (26, 9088)
    assert (len(convolutions), sum(convolutions)) == (17, 6048)
    assert form.n_rows == 18
    assert [i for i, layer in enumerate(layers) if layer[0].endswith("torgb")] == [
        1, 4, 7, 10, 13, 16, 19, 22, 25,
    ]  # fmt: skip


def test_regions_without_shifts_leave_the_bytes(network: Golden) -> None:
    generator = StyleGan2(weights_of(network))
    latents = torch.from_numpy(network.values["in.w_plus"])
    styles = generator.style_space(latents)
    regions = {
        row: (torch.zeros(2, generator.w_dim), torch.rand(2, side, side))
        for row, side in ((3, 8), (4, 16), (5, 16))
    }
    assert torch.equal(generator.from_styles(styles, regions), generator.from_styles(styles))


def test_a_region_everywhere_is_the_latents_moved(network: Golden) -> None:
    """w(x, y) = w + Δ at every pixel is what w + Δ gives."""
    generator = StyleGan2(weights_of(network))
    latents = torch.from_numpy(network.values["in.w_plus"])
    shifts = torch.randn(3, generator.w_dim, generator=torch.Generator().manual_seed(1)) * 0.2
    sides = ((3, 8), (4, 16), (5, 16))
    regions = {
        row: (shift[None], torch.ones(1, side, side))
        for shift, (row, side) in zip(shifts, sides, strict=True)
    }
    moved = latents.clone()
    moved[:, 3:6] += shifts
    images = generator.from_styles(generator.style_space(latents), regions)
    assert (images - generator(moved)).abs().max() <= TOLERANCE


def test_a_missing_tensor_is_named() -> None:
    shapes = {name: values.shape for name, values in golden(PLAIN).plain.items()}
    del shapes["synthesis.b16.conv0.affine.bias"]
    with pytest.raises(ModelError, match=r"b16\.conv0\.affine\.bias is missing"):
        StyleGan2Form.of(shapes)
