"""What generators on torch share: several pictures in one call, recordings, and half precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from photorig.shared.errors import InputError
from photorig.worker.generators.batches import Batches
from photorig.worker.generators.code import Code, drawn_together
from photorig.worker.generators.interface import DeviceGenerator
from photorig.worker.generators.loading import load_generator
from photorig.worker.generators.on_device import DevicePictures
from photorig.worker.generators.regions import REGIONAL_ROWS, REGIONS, RegionalStyles, RegionMasks
from photorig.worker.generators.replays import Make, Replay, Replays
from photorig.worker.generators.style_space import Styles
from photorig.worker.generators.stylegan2.backends import TorchStyleGan2
from photorig.worker.generators.stylegan2.network import StyleGan2
from photorig.worker.generators.torch_backend import TorchGenerator
from photorig.worker.generators.weights import load_weights

from ..checkpoint_files import PLAIN, golden
from .test_stylegan2 import weights_of

CPU = torch.device("cpu")
LATENTS = golden(PLAIN).values["in.w_plus"]


@pytest.fixture(scope="module")
def network() -> StyleGan2:
    return StyleGan2(weights_of(golden(PLAIN)))


def in_threes() -> TorchStyleGan2:
    """Makes three pictures at once, on the processor."""
    weights = weights_of(golden(PLAIN))
    return TorchStyleGan2(weights, CPU, "f32", Batches("cpu", largest=3))


def regional(seed: int, width: int) -> RegionalStyles:
    """Regions of a frame, each moved otherwise."""
    random = np.random.default_rng(seed)
    deltas = 0.3 * random.standard_normal((len(REGIONS), len(REGIONAL_ROWS), width))
    masks = random.random((len(REGIONS), 128, 128), np.float32)
    return RegionalStyles(deltas.astype(np.float32), RegionMasks(masks))


def codes(count: int, n_rows: int, width: int) -> list[Code]:
    random = np.random.default_rng(4)
    latents = 0.5 * random.standard_normal((count, n_rows, width), np.float32)
    return [Code(latent, regional(n, width)) for n, latent in enumerate(latents)]


# --- several in one call


def test_frames_that_are_drawn_together_are_those_drawn_alone() -> None:
    generator = in_threes()
    asked = codes(7, generator.n_rows, generator.w_dim)
    together = drawn_together(asked, generator, 64)
    for code, picture in zip(asked, together, strict=True):
        np.testing.assert_array_equal(picture, code.drawn(generator, 64))


@pytest.mark.weights("random-face")
def test_the_default_generator_draws_several_in_one_call() -> None:
    generator = TorchGenerator(load_weights(), CPU, "f32", Batches("cpu", largest=2))
    assert isinstance(generator, DeviceGenerator)
    assert generator.at_once == 2
    asked = codes(2, generator.n_rows, generator.w_dim)
    for code, picture in zip(asked, drawn_together(asked, generator, 256), strict=True):
        np.testing.assert_array_equal(picture, code.drawn(generator, 256))


def test_codes_of_several_kinds_keep_their_places() -> None:
    generator = in_threes()
    some = codes(3, generator.n_rows, generator.w_dim)
    asked = [some[0], Code(some[1].latents), some[2]]
    together = drawn_together(asked, generator, 64)
    for code, picture in zip(asked, together, strict=True):
        np.testing.assert_array_equal(picture, code.drawn(generator, 64))


def test_one_call_is_made_for_a_batch() -> None:
    sizes: list[int] = []

    def make(latents: Tensor, size: int, *differences: Tensor) -> Tensor:
        sizes.append(len(latents))
        return latents.mean((1, 2))[:, None, None, None].expand(-1, 3, size, size)

    pictures = DevicePictures(make, CPU, "f32", Batches("cuda", largest=4))
    latents = np.random.default_rng(1).random((10, 6, 8), np.float32)
    styles: list[Styles] = [regional(n, 8) for n in range(10)]
    pictures.drawn(latents, 2, styles)
    assert sizes == [4, 1, 1, 1, 1, 4, 1, 1], "the first ones prove that no byte changes"


# --- recordings


class Recorder:
    """Records as CUDA graphs do: inputs are copied to where they were, and read from there."""

    def __init__(self, works: bool = True, is_right: bool = True) -> None:
        self.works, self.is_right, self.recorded, self.replayed = works, is_right, 0, 0

    def __call__(self, make: Make, inputs: Sequence[Tensor]) -> Replay:
        if not self.works:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        self.recorded += 1
        held = [each.clone() for each in inputs]

        def replay(others: Sequence[Tensor]) -> Tensor:
            self.replayed += 1
            for kept, other in zip(held, others, strict=True):
                kept.copy_(other)
            return make(*held) + (not self.is_right)

        return replay


def run_thrice(replays: Replays) -> list[float]:
    numbers = [torch.tensor([float(n)]) for n in range(3)]
    return [replays.run("twice", lambda x: 2 * x, [n]).item() for n in numbers]


def test_what_is_made_again_is_replayed_with_other_numbers() -> None:
    recorder = Recorder()
    assert run_thrice(Replays(recorder)) == [0, 2, 4]
    assert recorder.recorded == 1
    assert recorder.replayed == 2, "once to prove it, once instead of the call"


def test_other_shapes_are_recorded_by_themselves() -> None:
    recorder = Recorder()
    replays = Replays(recorder)
    for length in (1, 2, 1, 2):
        assert len(replays.run("twice", lambda x: 2 * x, [torch.ones(length)])) == length
    assert recorder.recorded == 2


@pytest.mark.parametrize("recorder", [Recorder(works=False), Recorder(is_right=False)])
def test_where_nothing_can_be_recorded_the_call_is_made(recorder: Recorder) -> None:
    assert run_thrice(Replays(recorder)) == [0, 2, 4]
    assert recorder.replayed <= 1


def test_a_processor_records_nothing() -> None:
    assert run_thrice(Replays.on(CPU)) == [0, 2, 4]


def test_recorded_pictures_are_the_same(network: StyleGan2) -> None:
    recorder = Recorder()
    pictures = DevicePictures(network.drawn, CPU, "f32", replays=Replays(recorder))
    styles: list[Styles] = [regional(n, network.w_dim) for n in range(len(LATENTS))]
    plain = DevicePictures(network.drawn, CPU, "f32").drawn(LATENTS, 64, styles)
    for _ in range(2):
        assert torch.equal(pictures.drawn(LATENTS, 64, styles), plain)
    assert recorder.recorded == 1


# --- half precision


def test_modulated_weights_give_what_modulated_features_give(network: StyleGan2) -> None:
    latents = torch.from_numpy(LATENTS)
    fused = StyleGan2(weights_of(golden(PLAIN)))
    fused.fuse()
    assert (fused(latents) - network(latents)).abs().max() <= 1e-4
    styles = regional(1, network.w_dim)
    assert (fused(latents, styles=styles) - network(latents, styles=styles)).abs().max() <= 1e-4


@pytest.mark.parametrize(("precision", "mean"), [("bf16", 1.5), ("f16", 0.3)])
def test_half_precision_gives_nearly_the_same_pictures(precision: str, mean: float) -> None:
    weights = weights_of(golden(PLAIN))
    exact, half = (TorchStyleGan2(weights, CPU, name) for name in ("f32", precision))
    for styles in (None, regional(1, exact.w_dim)):
        apart = np.abs(
            exact.synthesize(LATENTS, 64, styles).astype(int) - half.synthesize(LATENTS, 64, styles)
        )
        assert apart.mean() < mean


def test_large_features_stay_finite_in_f16(network: StyleGan2) -> None:
    """Half precision ends at 65504; features of 200 in 64 channels of 3 × 3 reach beyond it."""
    layer = StyleGan2(weights_of(golden(PLAIN))).get_submodule("synthesis.b16.conv1")
    x = torch.full((1, layer.weight.shape[1], 16, 16), 200.0)  # type: ignore[index]
    style = torch.full((1, layer.weight.shape[1]), 8.0)  # type: ignore[index]
    with torch.no_grad():
        layer.weight.abs_()  # type: ignore[operator]
        exact = layer(x, style)
        layer.is_fused = True
        region = (torch.zeros(1, network.w_dim), torch.ones(1, 16, 16))
        with torch.autocast("cpu", dtype=torch.float16):
            for half in (layer(x, style), layer(x, style, region)):
                assert (half.float() / exact - 1).abs().max() < 0.01


def test_a_processor_has_no_f16() -> None:
    with pytest.raises(InputError, match="no precision 'f16'"):
        load_generator("cpu", "f16")
