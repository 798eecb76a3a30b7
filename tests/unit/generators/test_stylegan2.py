"""StyleGAN2 in plain torch gives what NVIDIA's own code gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photorig.shared.errors import InputError, ModelError
from photorig.worker.generators import Generator
from photorig.worker.generators.openvino_backend import CompiledGraphs
from photorig.worker.generators.regions import REGIONAL_ROWS, REGIONS, RegionalStyles, RegionMasks
from photorig.worker.generators.style_space import StyleOffsets
from photorig.worker.generators.stylegan2.backends import TorchStyleGan2
from photorig.worker.generators.stylegan2.network import Convolution, StyleGan2
from photorig.worker.generators.stylegan2.openvino_backend import OpenVinoStyleGan2
from photorig.worker.generators.stylegan2.weights import StyleGan2Form, StyleGan2Weights
from photorig.worker.generators.tuning import WeightTuning
from photorig.worker.generators.weights import LatentStatistics

from ..checkpoint_files import CLAMPED, PLAIN, Golden, golden

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


# --- as a generator


@pytest.fixture(params=["torch", "openvino"], scope="module")
def generator(request: pytest.FixtureRequest) -> Generator:
    weights = weights_of(golden(PLAIN))
    if request.param == "openvino":
        return OpenVinoStyleGan2(weights, CompiledGraphs(threads=1))
    return TorchStyleGan2(weights, torch.device("cpu"), "f32")


LATENTS = golden(PLAIN).values["in.w_plus"]


def test_pictures_are_the_networks(generator: Generator) -> None:
    wanted = golden(PLAIN).values["out.image_noise_const"]
    levels = np.clip((wanted + 1) * 127.5, 0, 255).transpose(0, 2, 3, 1)
    images = generator.synthesize(LATENTS, 64)
    assert np.abs(images - levels).max() <= 0.51


def test_every_usual_size_can_be_had(generator: Generator) -> None:
    assert generator.sizes == (64, 256, 512, 1024)
    assert generator.synthesize(LATENTS[:1], 256).shape == (1, 256, 256, 3)
    with pytest.raises(InputError, match="no size 100"):
        generator.synthesize(LATENTS, 100)


def test_a_picture_does_not_depend_on_its_batch(generator: Generator) -> None:
    together = generator.synthesize(LATENTS, 64)
    alone = [generator.synthesize(latents[None], 64)[0] for latents in LATENTS]
    np.testing.assert_array_equal(together, alone)


def test_rest_is_the_same_with_regions_and_offsets(generator: Generator) -> None:
    plain = generator.synthesize(LATENTS[:1], 64).astype(int)
    n_styles = generator.styles(LATENTS).shape[1]
    offsets = StyleOffsets(np.zeros(n_styles, np.float32))
    for styles in (RegionalStyles.none(), offsets):
        np.testing.assert_allclose(generator.synthesize(LATENTS[:1], 64, styles), plain, atol=1)


def test_a_style_offset_is_what_its_latents_give(generator: Generator) -> None:
    """Moving the last regional row's factors by what another row gives, gives its picture."""
    moved = LATENTS[:1].copy()
    moved[:, 4] += 0.3  # a convolution's row that no image layer reads
    change = generator.styles(moved) - generator.styles(LATENTS[:1])
    asked = generator.synthesize(LATENTS[:1], 64, StyleOffsets(change[0])).astype(int)
    np.testing.assert_allclose(asked, generator.synthesize(moved, 64), atol=1)


def test_a_region_moves_its_place_alone(generator: Generator) -> None:
    masks = np.zeros((len(REGIONS), 128, 128), np.float32)
    masks[0, :40, :40] = 1
    deltas = np.full((len(REGIONS), len(REGIONAL_ROWS), 64), 0.5, np.float32)
    styles = RegionalStyles(deltas, RegionMasks(masks))
    rest = generator.synthesize(LATENTS[:1], 64, RegionalStyles.none()).astype(int)
    changed = np.abs(generator.synthesize(LATENTS[:1], 64, styles) - rest)[0].mean(-1)
    assert changed[:16, :16].mean() > 5 * changed[48:, 48:].mean()


def test_tuning_moves_convolutions_only(generator: Generator) -> None:
    name, modulation = "synthesis.b16.conv0.weight", "synthesis.b16.conv0.affine.weight"
    delta = np.full((64, 64, 3, 3), 0.1, np.float16)
    tuned = generator.tuned(WeightTuning({name: delta}))
    assert tuned.model_id == generator.model_id
    assert (tuned.synthesize(LATENTS, 64) != generator.synthesize(LATENTS, 64)).any()
    with pytest.raises(InputError, match="cannot be tuned"):
        generator.tuned(WeightTuning({modulation: np.zeros((64, 64), np.float16)}))
    with pytest.raises(InputError, match="does not fit"):
        generator.tuned(WeightTuning({name: np.zeros((2, 64, 3, 3), np.float16)}))


def test_in_bf16_styles_stay_exact_and_pictures_close() -> None:
    weights = weights_of(golden(PLAIN))
    rounded = TorchStyleGan2(weights, torch.device("cpu"), "bf16")
    exact = TorchStyleGan2(weights, torch.device("cpu"), "f32")
    with torch.autocast("cpu", torch.bfloat16):
        styles = StyleGan2(weights).style_space(torch.from_numpy(LATENTS))
    assert {style.dtype for style in styles.values()} == {torch.float32}
    difference = rounded.synthesize(LATENTS, 64) - exact.synthesize(LATENTS, 64).astype(float)
    assert 0 < np.abs(difference).mean() < 1.5


def test_a_placed_network_takes_and_gives_tensors_of_the_processor() -> None:
    """The plumbing of --device, on the device that there is everywhere."""
    plain, placed = (StyleGan2(weights_of(golden(PLAIN))) for _ in range(2))
    placed.placed_on(torch.device("cpu"))
    latents = torch.from_numpy(LATENTS)
    assert torch.equal(placed(latents, size=256), plain(latents, 256))
    stage = placed.begun(latents, 32)
    assert {k: v.shape[-1] for k, v in placed.larger(stage).items()} == {64: 64}
    torch.testing.assert_close(placed.larger(stage)[64], plain(latents, 64))
