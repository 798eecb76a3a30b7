"""The generator with its real weights: every backend makes the published network's pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import openvino
import pytest
import torch

from photorig.worker.generators import load_generator
from photorig.worker.generators.latents import expand_latents, map_latents
from photorig.worker.generators.mobile_stylegan import MobileStyleGAN, to_uint8
from photorig.worker.generators.openvino_backend import OpenVinoGenerator, has_bfloat16
from photorig.worker.generators.openvino_graph import build_graph
from photorig.worker.generators.regions import (
    MASK_SIDE,
    REGIONAL_ROWS,
    REGIONS,
    RegionalStyles,
    RegionMasks,
)
from photorig.worker.generators.style_space import STYLE_ROWS, StyleOffsets
from photorig.worker.generators.weights import MODEL_CARD, SIZES, GeneratorWeights, load_weights
from photorig.worker.registry import fetch

pytestmark = pytest.mark.weights("random-face")


@pytest.fixture(scope="module")
def weights() -> GeneratorWeights:
    return load_weights()


@pytest.fixture(scope="module")
def network(weights: GeneratorWeights) -> MobileStyleGAN:
    return MobileStyleGAN(weights)


@pytest.fixture(scope="module")
def generator(weights: GeneratorWeights) -> OpenVinoGenerator:
    return OpenVinoGenerator(weights, "f32", threads=1)


def codes(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 512), dtype=np.float32)


def some_latents(weights: GeneratorWeights, count: int, truncation: float = 0.8) -> np.ndarray:
    return expand_latents(map_latents(weights, codes(count), truncation))


def compiled(network_or_path: openvino.Model | str) -> openvino.CompiledModel:
    return openvino.Core().compile_model(
        network_or_path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )


def psnr(a: np.ndarray, b: np.ndarray, peak: float) -> float:
    return float(10 * np.log10(peak**2 / np.mean(np.square(np.float64(a) - np.float64(b)))))


@pytest.mark.timeout(180)
def test_torch_agrees_with_the_published_network_over_eight_seeds(network: MobileStyleGAN):
    original = compiled(str(fetch(MODEL_CARD) / "SynthesisNetwork.xml"))
    for seed in range(8):
        with torch.inference_mode():
            w = network.map(torch.from_numpy(codes(1, seed)))
            image = network(network.expand(w), 1024).numpy()
        assert np.abs(image - original(w.numpy())[0]).max() < 1e-3


def test_the_mapping_agrees_with_the_published_network(weights: GeneratorWeights):
    original = compiled(str(fetch(MODEL_CARD) / "MappingNetwork.xml"))
    z = codes(4)
    expected = np.concatenate([original(code[None])[0] for code in z])
    assert np.abs(map_latents(weights, z, truncation=1.0) - expected).max() < 1e-4


def test_the_mapping_of_torch_agrees_with_that_of_numpy(
    weights: GeneratorWeights, network: MobileStyleGAN
):
    z = codes(4)
    with torch.inference_mode():
        w = network.map(torch.from_numpy(z), 0.7).numpy()
    assert np.abs(map_latents(weights, z, truncation=0.7) - w).max() < 1e-4


def test_truncation_zero_is_the_mean_latent(weights: GeneratorWeights):
    w = map_latents(weights, codes(2), truncation=0.0)
    np.testing.assert_allclose(w, np.stack([weights.statistics.mean] * 2), atol=1e-6)


def test_the_stored_mean_latent_is_the_mean_over_random_codes(weights: GeneratorWeights):
    count = 2000
    mean = map_latents(weights, codes(count, seed=7), truncation=1.0).mean(axis=0)
    errors = (mean - weights.statistics.mean) / (weights.statistics.std / np.sqrt(count))
    assert np.abs(errors).max() < 5
    assert 0.8 < np.sqrt(np.square(errors).mean()) < 1.25


@pytest.mark.parametrize("size", SIZES)
def test_the_openvino_graph_agrees_with_torch(
    weights: GeneratorWeights, network: MobileStyleGAN, size: int
):
    latents = some_latents(weights, 1) + np.random.default_rng(1).normal(
        0, 0.05, (1, 16, 512)
    ).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(latents), size).numpy()
    image = compiled(build_graph(weights, size, as_bytes=False))(latents)[0]
    assert image.shape == (1, 3, size, size)
    assert np.abs(image - expected).max() < 1e-3


def test_bytes_are_the_rounded_image(weights: GeneratorWeights, generator: OpenVinoGenerator):
    latents = some_latents(weights, 1)
    image = compiled(build_graph(weights, 256, as_bytes=False))(latents)[0]
    expected = to_uint8(torch.from_numpy(image))
    difference = np.abs(generator.synthesize(latents, 256).astype(int) - expected.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


PRECISION = pytest.mark.parametrize(
    "precision",
    [
        "f32",
        pytest.param(
            "bf16",
            marks=pytest.mark.skipif(
                not has_bfloat16(), reason="this processor does not compute in bf16"
            ),
        ),
    ],
)


@PRECISION
@pytest.mark.parametrize("size", [256, 512])
def test_a_frame_has_the_same_bytes_whatever_the_chunk_and_the_order(
    weights: GeneratorWeights, precision: str, size: int
):
    generator = OpenVinoGenerator(weights, precision, threads=1)
    latents = some_latents(weights, 3)
    together = generator.synthesize(latents, size)
    backwards = generator.synthesize(latents[::-1], size)[::-1]
    alone = np.concatenate([generator.synthesize(latents[i : i + 1], size) for i in (1, 0, 2)])
    assert np.array_equal(together, backwards)
    assert np.array_equal(together[[1, 0, 2]], alone)


@PRECISION
def test_a_frame_has_the_same_bytes_with_one_thread_and_with_two(
    weights: GeneratorWeights, precision: str
):
    latents = some_latents(weights, 1)
    one, two = (
        OpenVinoGenerator(weights, precision, threads).synthesize(latents, 256)
        for threads in (1, 2)
    )
    assert np.array_equal(one, two)


@pytest.mark.skipif(not has_bfloat16(), reason="this processor does not compute in bf16")
@pytest.mark.parametrize("size", SIZES)
def test_bf16_cannot_be_told_from_f32(
    weights: GeneratorWeights, generator: OpenVinoGenerator, size: int
):
    latents = some_latents(weights, 2)
    quick = OpenVinoGenerator(weights, "bf16", threads=1).synthesize(latents, size)
    assert psnr(quick, generator.synthesize(latents, size), 255) > 47


def test_the_precision_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PHOTORIG_PRECISION", "f32")
    assert load_generator("cpu").backend == "openvino f32"
    if has_bfloat16():
        assert load_generator("cpu", "bf16").backend == "openvino bf16"


def test_torch_in_bf16_cannot_be_told_from_f32(
    weights: GeneratorWeights, generator: OpenVinoGenerator
):
    latents = some_latents(weights, 1)
    quick = load_generator("torch-cpu", "bf16").synthesize(latents, 256)
    assert psnr(quick, generator.synthesize(latents, 256), 255) > 40


@pytest.mark.parametrize("size", [256, 512])
def test_gradients_reach_every_row_of_the_latents(
    weights: GeneratorWeights, network: MobileStyleGAN, size: int
):
    latents = torch.from_numpy(some_latents(weights, 1)).requires_grad_()
    network(latents, size).square().mean().backward()
    assert latents.grad is not None
    assert (latents.grad.abs().amax(dim=(0, 2)) > 0).all()
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("n_blocks", [1, 5])
def test_features_read_the_documented_rows_and_no_others(
    weights: GeneratorWeights, network: MobileStyleGAN, n_blocks: int
):
    latents = torch.from_numpy(some_latents(weights, 1)).requires_grad_()
    *_, features = network.features(latents, n_blocks)
    features.square().mean().backward()
    assert latents.grad is not None
    is_read = latents.grad[0].abs().amax(dim=1) > 0
    assert is_read.tolist() == [row <= 2 * n_blocks for row in range(16)]


@pytest.mark.parametrize(("size", "decibels"), [(256, 29.0), (512, 32.0)])
def test_preview_heads_come_near_the_averaged_full_image(
    weights: GeneratorWeights, generator: OpenVinoGenerator, size: int, decibels: float
):
    latents = some_latents(weights, 3)
    full = generator.synthesize(latents, 1024).astype(np.float64)
    factor = 1024 // size
    averaged = full.reshape(3, size, factor, size, factor, 3).mean(axis=(2, 4))
    for preview, image in zip(generator.synthesize(latents, size), averaged, strict=True):
        assert psnr(preview, image, 255) > decibels


def test_without_preview_heads_small_images_are_the_averaged_full_image(
    weights: GeneratorWeights, network: MobileStyleGAN
):
    bare = dataclasses.replace(weights, preview_heads={})
    latents = some_latents(weights, 1)
    image = compiled(build_graph(bare, 256, as_bytes=False))(latents)[0]
    with torch.inference_mode():
        expected = network(torch.from_numpy(latents), 256, exact=True).numpy()
        without_heads = MobileStyleGAN(bare)(torch.from_numpy(latents), 256).numpy()
    assert np.abs(image - expected).max() < 1e-3
    assert np.array_equal(without_heads, expected)


def test_the_torch_backend_makes_the_pictures_of_the_openvino_backend(
    weights: GeneratorWeights, generator: OpenVinoGenerator
):
    on_torch = load_generator("torch-cpu", "f32")
    latents = some_latents(weights, 2)
    images, expected = on_torch.synthesize(latents, 256), generator.synthesize(latents, 256)
    assert images.shape == (2, 256, 256, 3)
    assert psnr(images, expected, 255) > 55
    assert on_torch.model_id == generator.model_id


def some_styles(amount: float = 1.0) -> RegionalStyles:
    """Shifts of all regions; the mask of each is a box of its own."""
    random = np.random.default_rng(3)
    shape = (len(REGIONS), len(REGIONAL_ROWS), 512)
    deltas = random.standard_normal(shape).astype(np.float32) * np.float32(0.2 * amount)
    masks = np.zeros((len(REGIONS), MASK_SIDE, MASK_SIDE), np.float32)
    for number in range(len(REGIONS)):
        masks[number, 64:96, 8 + 16 * number : 20 + 16 * number] = 1
    return RegionalStyles(deltas, RegionMasks(masks))


@pytest.mark.parametrize("size", [256, 512])
def test_regions_that_do_not_differ_give_the_plain_picture_bit_for_bit(
    generator: OpenVinoGenerator, weights: GeneratorWeights, size: int
) -> None:
    latents = some_latents(weights, 1)
    plain = generator.synthesize(latents, size)
    np.testing.assert_array_equal(generator.synthesize(latents, size, some_styles(0)), plain)
    network = load_generator("torch-cpu")
    plain = network.synthesize(latents, size)
    np.testing.assert_array_equal(network.synthesize(latents, size, some_styles(0)), plain)


def test_both_backends_draw_the_same_regions(
    generator: OpenVinoGenerator, weights: GeneratorWeights
) -> None:
    latents = some_latents(weights, 1)
    there = generator.synthesize(latents, 256, some_styles()).astype(int)
    here = load_generator("torch-cpu").synthesize(latents, 256, some_styles())
    assert np.abs(there - here).max() <= 1
    assert np.abs(there - generator.synthesize(latents, 256)).max() > 20


def test_offsets_to_another_code_s_factors_give_its_rows_on_both_backends(
    generator: OpenVinoGenerator, weights: GeneratorWeights
) -> None:
    one, other = some_latents(weights, 2)[:, None]
    offsets = StyleOffsets((generator.styles(other) - generator.styles(one))[0])
    mixed = np.concatenate([other[:, :STYLE_ROWS], one[:, STYLE_ROWS:]], 1)
    expected = generator.synthesize(mixed, 1024).astype(int)
    for backend in (generator, load_generator("torch-cpu")):
        assert psnr(backend.synthesize(one, 1024, offsets), expected, 255) > 55


def test_no_offsets_give_the_plain_picture(
    generator: OpenVinoGenerator, weights: GeneratorWeights
) -> None:
    latents = some_latents(weights, 1)
    none = StyleOffsets(generator.styles(latents)[0]).at_rest()
    plain, same = (generator.synthesize(latents, 256, styles) for styles in (None, none))
    assert np.abs(plain.astype(int) - same).max() <= 1


def test_what_lies_far_from_a_region_hardly_changes(
    generator: OpenVinoGenerator, weights: GeneratorWeights
) -> None:
    latents = some_latents(weights, 1)
    change = np.abs(
        generator.synthesize(latents, 256, some_styles()).astype(int)
        - generator.synthesize(latents, 256)
    )[0]
    assert change[128:192].mean() > 10 * change[:64].mean()
