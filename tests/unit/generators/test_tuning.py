"""A portrait's own generator: kept in its file, checked, used for its frames and for no others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.generators.mobile_stylegan import MobileStyleGAN, to_uint8
from photorig.worker.generators.openvino_backend import OpenVinoGenerator
from photorig.worker.generators.torch_backend import TorchGenerator
from photorig.worker.generators.tuned_generators import TunedGenerators
from photorig.worker.generators.tuning import GREATEST_DELTA, WeightTuning, is_tunable
from photorig.worker.generators.weights import GeneratorWeights, load_weights
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.tuning import MAXIMUM_BYTES
from photorig.worker.reenactment.renderer import FaceRenderer

from ..fakes import TinyGenerator, tiny_bundle, tiny_portrait
from ..stage_fakes import tiny_stage


class TunableGenerator(TinyGenerator):
    """Paints brighter by what it is tuned by; counts how often it was tuned."""

    def __init__(self, brighter: int = 0) -> None:
        self.brighter, self.times_tuned = brighter, 0

    def synthesize(self, latents: np.ndarray, size: int, styles: object = None) -> np.ndarray:
        return super().synthesize(latents, size) // 2 + np.uint8(self.brighter)

    def tuned(self, tuning: WeightTuning) -> TunableGenerator:
        self.times_tuned += 1
        return TunableGenerator(int(tuning.deltas["brightness"][0]))


def brighter_by(levels: int) -> WeightTuning:
    return WeightTuning({"brightness": np.array([levels], np.float16)})


def frame_of(renderer: FaceRenderer, portrait: Portrait, jaw: float = 0.3) -> np.ndarray:
    parameters = FACE_SCHEMA.vector({"jawOpen": jaw})
    return renderer.render(portrait, FrameRequest(portrait.id, parameters, size=8))


def test_a_tuning_comes_back_from_the_portraits_file() -> None:
    portrait = replace(tiny_portrait(), tuning=brighter_by(3))
    loaded = Portrait.from_bytes(portrait.to_bytes())
    assert loaded.tuning is not None
    assert loaded.tuning.deltas["brightness"].dtype == np.float16
    assert loaded.tuning.id == brighter_by(3).id


def test_a_portrait_without_tuning_stays_without() -> None:
    assert Portrait.from_bytes(tiny_portrait().to_bytes()).tuning is None


def test_the_tuning_is_part_of_what_the_portraits_id_names() -> None:
    ids = {replace(tiny_portrait(), tuning=t).id for t in (None, brighter_by(1), brighter_by(2))}
    assert len(ids) == 3


@pytest.mark.parametrize(
    "deltas",
    [
        {"a": np.array([np.nan], np.float16)},
        {"a" * 200: np.zeros(1, np.float16)},
        {f"a{i}": np.zeros(1, np.float16) for i in range(1000)},
        {"a": np.zeros(MAXIMUM_BYTES, np.float16)},
    ],
    ids=["not a number", "long name", "many arrays", "large array"],
)
def test_a_tuning_that_cannot_be_is_refused_with_the_file(deltas: dict[str, np.ndarray]) -> None:
    portrait = replace(tiny_portrait(), tuning=WeightTuning(deltas))
    with pytest.raises(InputError, match="damaged"):
        Portrait.from_bytes(portrait.to_bytes())


def test_each_portrait_is_drawn_by_its_own_generator() -> None:
    renderer = FaceRenderer(tiny_bundle(), TunableGenerator(), tiny_stage())
    plain, other = tiny_portrait(), replace(tiny_portrait(), tuning=brighter_by(40))
    first = frame_of(renderer, plain)
    assert not np.array_equal(frame_of(renderer, other), first)
    np.testing.assert_array_equal(frame_of(renderer, plain), first)


def test_going_back_to_a_portrait_does_not_tune_again() -> None:
    generator = TunableGenerator()
    generators = TunedGenerators(generator)
    portraits = [replace(tiny_portrait(), tuning=brighter_by(i)) for i in (1, 2)]
    for portrait in portraits * 3:
        level = int(portrait.tuning.deltas["brightness"][0])  # type: ignore[union-attr]
        assert generators.of(portrait.tuning).brighter == level  # type: ignore[attr-defined]
    assert generator.times_tuned == 2


def test_only_the_last_few_tuned_generators_are_kept() -> None:
    generator = TunableGenerator()
    generators = TunedGenerators(generator)
    for level in (*range(5), 0):
        generators.of(brighter_by(level))
    assert generator.times_tuned == 6


# --------------------------------------------------------------------------- real weights


@pytest.fixture(scope="module")
def weights() -> GeneratorWeights:
    return load_weights()


@pytest.fixture(scope="module")
def tuning(weights: GeneratorWeights) -> WeightTuning:
    """Every weight that may be tuned moved a little, at random."""
    random = np.random.default_rng(0)
    return WeightTuning(
        {
            name: (random.standard_normal(value.shape) * 0.02 * float(value.std() + 1e-3)).astype(
                np.float16
            )
            for name, value in MobileStyleGAN(weights).named_parameters()
            if is_tunable(name)
        }
    )


@pytest.fixture(scope="module")
def latents(weights: GeneratorWeights) -> np.ndarray:
    return np.tile(weights.statistics.mean, (1, 16, 1)).astype(np.float32)


@pytest.mark.weights("random-face")
def test_every_backend_draws_what_the_tuned_network_draws(weights, tuning, latents) -> None:
    network = MobileStyleGAN(weights)
    with torch.no_grad():
        for name, delta in tuning.deltas.items():
            network.get_parameter(name).add_(torch.from_numpy(delta.astype(np.float32)))
        wanted = to_uint8(network(torch.from_numpy(latents), 256))[0].astype(int)
    for generator in (
        OpenVinoGenerator(weights, "f32", 1),
        TorchGenerator(weights, torch.device("cpu"), "f32"),
    ):
        plain = generator.synthesize(latents, 256)[0].astype(int)
        image = generator.tuned(tuning).synthesize(latents, 256)[0].astype(int)
        assert np.abs(image - wanted).max() <= 1
        assert np.abs(plain - wanted).max() > 10
        np.testing.assert_array_equal(generator.synthesize(latents, 256)[0], plain)


@pytest.mark.weights("random-face")
@pytest.mark.parametrize(
    ("name", "delta"),
    [
        ("image_head.weight", np.zeros((12, 63, 1, 1))),
        ("image_head.weight", np.full((12, 64, 1, 1), 2 * GREATEST_DELTA)),
        ("image_head.bias", np.full(12, np.nan)),
        ("blocks.9.convolution1.weight", np.zeros((512, 128, 1, 1))),
        ("preview_heads.128.linear.bias", np.zeros(12)),
        ("image_head.modulation.weight", np.zeros((64, 512))),
        ("mapping.weights.0", np.zeros((512, 512))),
        ("__class__", np.zeros(1)),
    ],
    ids=["shape", "large", "nan", "block", "head", "modulation", "mapping", "nonsense"],
)
def test_a_tuning_of_another_generator_is_refused(weights, name, delta) -> None:
    with pytest.raises(InputError, match="tuning"):
        WeightTuning({name: delta.astype(np.float16)}).applied(weights)


@pytest.mark.weights("random-face")
def test_compiled_graphs_of_many_portraits_do_not_pile_up(weights, latents) -> None:
    generator = OpenVinoGenerator(weights, "f32", 1)
    first = generator.synthesize(latents, 256)
    for level in range(6):
        delta = np.full(12, 0.01 * (level + 1), np.float16)
        generator.tuned(WeightTuning({"preview_heads.256.linear.bias": delta})).synthesize(
            latents, 256
        )
    assert len(generator._graphs) <= 5
    np.testing.assert_array_equal(generator.synthesize(latents, 256), first)
