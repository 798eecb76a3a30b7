"""Parts of the fit that need no downloaded weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from photorig.worker.fitting.edit_preservation import preserved_edits
from photorig.worker.fitting.losses import _attention, _inside, multi_scale_l1
from photorig.worker.fitting.optimizer import Adam
from photorig.worker.fitting.pivotal_tuning import _within
from photorig.worker.generators.latent_distribution import LatentDistribution
from photorig.worker.generators.tuning import is_tunable
from photorig.worker.portraits.alignment import Alignment

from ..fakes import tiny_bundle

EVERYWHERE = torch.ones(1, 1, 256, 256)


def test_descent_finds_the_bottom_of_a_bowl() -> None:
    point = torch.tensor([3.0, -2.0], requires_grad=True)
    losses: list[float] = []
    Adam({0.3: [point]}).run(60, lambda step: (point - 1).square().sum(), losses.append)
    assert len(losses) == 60
    assert losses[-1] < 0.01 * losses[0]


def test_descent_leaves_alone_what_a_step_does_not_look_at() -> None:
    looked_at, other = (torch.zeros(1, requires_grad=True) for _ in range(2))
    Adam({0.1: [looked_at, other]}).run(3, lambda step: looked_at.sum(), lambda loss: None)
    assert looked_at.detach() < 0 and other.detach() == 0


def test_each_tensor_has_its_own_rate() -> None:
    slow, fast = (torch.zeros(1, requires_grad=True) for _ in range(2))
    Adam({0.01: [slow], 0.1: [fast]}).run(1, lambda step: (slow + fast).sum(), lambda loss: None)
    np.testing.assert_allclose(fast.detach(), 10 * slow.detach(), rtol=1e-4)


def test_equal_pictures_have_no_distance_at_any_size() -> None:
    for size in (256, 512, 1024):
        picture = torch.rand(1, 3, size, size)
        assert float(multi_scale_l1(picture, picture, EVERYWHERE)) == 0


def test_a_colour_cast_costs_as_much_at_every_size() -> None:
    distances = []
    for size, n_scales in ((256, 5), (512, 6), (1024, 7)):
        bright, dark = torch.full((1, 3, size, size), 0.1), torch.zeros(1, 3, size, size)
        distances.append(float(multi_scale_l1(bright, dark, EVERYWHERE)) / n_scales)
    np.testing.assert_allclose(distances, 0.1, rtol=1e-4)


def test_what_is_not_weighed_may_look_as_it_likes() -> None:
    weight = EVERYWHERE.clone()
    weight[..., :128] = 0
    picture, other = torch.zeros(1, 3, 256, 256), torch.zeros(1, 3, 256, 256)
    other[..., :96] = 1
    assert float(multi_scale_l1(picture, other, weight)) == 0


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_a_weave_all_over_counts_more_than_noise_of_the_same_strength(size: int) -> None:
    photo = torch.full((1, 3, size, size), 0.5)
    columns = (torch.arange(size) % 2 * 2 - 1).float() * 0.01
    noise = 0.01 * (torch.rand(photo.shape, generator=torch.Generator().manual_seed(1)) < 0.5) * 2
    woven = float(multi_scale_l1(photo + columns, photo, EVERYWHERE))
    noisy = float(multi_scale_l1(photo + noise - 0.01, photo, EVERYWHERE))
    assert woven > 1.5 * noisy


def test_the_eyes_count_most_and_the_face_more_than_what_is_around_it() -> None:
    landmarks = torch.full((1, 478, 3), 128.0)
    landmarks[0, :4, :2] = torch.tensor([[60.0, 60], [196, 60], [60, 220], [196, 220]])
    for rim, x in ((33, 80), (133, 104), (263, 176), (362, 152)):
        landmarks[0, rim, :2] = torch.tensor([x, 110.0])
    for rims, x in (((159, 160, 158), 92), ((386, 387, 385), 164)):
        landmarks[0, list(rims), :2] = torch.tensor([x, 104.0])
    for rims, x in (((145, 144, 153), 92), ((374, 373, 380), 164)):
        landmarks[0, list(rims), :2] = torch.tensor([x, 116.0])
    weight = _attention(landmarks)[0, 0]
    around, cheek, eye = weight[240, 128], weight[180, 128], weight[110, 92]
    assert float(around) == pytest.approx(1, abs=0.01)
    assert eye > cheek + 2 > around + 3


def test_what_lies_beyond_the_photo_hardly_counts() -> None:
    alignment = Alignment.upright(100, left=-50)  # the photo begins in the middle
    weight = _inside((100, 100), alignment)[0, 0]
    assert (weight[:, 129:] == 1).all()
    assert (weight[:, :127] < 0.05).all()


class StraightGenerator:
    """A mapping network that leaves z as it is, but for its last non-linearity."""

    w_dim = z_dim = 512
    mean_latent = torch.zeros(512)

    def map(self, z: Tensor) -> Tensor:
        return torch.nn.functional.leaky_relu(3 * z + 1, 0.2) * 2**0.5


def test_a_typical_w_has_distance_one_and_a_strange_one_more() -> None:
    distribution = LatentDistribution(StraightGenerator())  # type: ignore[arg-type]
    typical = StraightGenerator().map(torch.randn(64, 512, generator=torch.Generator()))
    assert 0.8 < float(distribution.distance(typical)) < 1.4
    assert float(distribution.distance(typical * 3)) > 3


def test_codes_come_back_from_their_coordinates() -> None:
    distribution = LatentDistribution(StraightGenerator())  # type: ignore[arg-type]
    latents = StraightGenerator().map(torch.randn(1, 16, 512, generator=torch.Generator()))
    coordinates = distribution.coordinates(latents)
    assert 0.5 < float(coordinates.std()) < 1.5
    torch.testing.assert_close(distribution.latents(coordinates), latents, rtol=1e-3, atol=1e-3)


def test_edits_to_preserve_stay_within_what_the_face_can_do() -> None:
    bundle = tiny_bundle(limit=0.3)
    at_rest = np.zeros(len(bundle.schema), np.float32)
    at_end = bundle.highest.copy()
    for parameters in (at_rest, at_end):
        for edit in preserved_edits(bundle, parameters, 16):
            assert edit.shift.shape == (16, 512)
            assert np.isfinite(edit.shift).all()
    jaw = bundle.schema.index["jawOpen"]
    opened = [m for m in preserved_edits(bundle, at_rest, 16) if m.part == "mouth"][1]
    np.testing.assert_allclose(opened.shift[:8], 0.3 * bundle.directions[jaw], atol=1e-5)


def test_a_mouth_may_change_the_rows_below_the_nose_and_lids_those_above() -> None:
    landmarks = torch.zeros(1, 478, 3)
    landmarks[0, :, 1] = 100
    landmarks[0, [13, 14], 1] = 180
    mouth, eyes = (_within(part, landmarks)[0, 0, :, 0] for part in ("mouth", "eyes"))
    assert mouth[180] > 0.99 and mouth[100] < 0.01
    assert eyes[180] < 0.01 and eyes[100] > 0.99
    assert (_within("face", landmarks) == 1).all()


def test_what_latents_act_through_is_never_tuned() -> None:
    for name in (
        "blocks.0.modulation1.weight",
        "blocks.3.upsampling_modulation.bias",
        "image_head.modulation.weight",
        "constant",
        "convolution0.weight",
        "mapping.weights.0",
        "preview_heads.256.style.projection",
    ):
        assert not is_tunable(name)
