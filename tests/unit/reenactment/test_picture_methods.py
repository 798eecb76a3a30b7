"""Methods that are driven by pictures: what they put on, and that rest is the photo."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photorig.shared.errors import ModelError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.reenactment.mask_networks import MaskNetworks, read_mask_networks
from photorig.worker.reenactment.stylemask import StyleMask
from photorig.worker.reenactment.target import FacePicture, Target

from ..fakes import TinyGenerator, tiny_portrait

ROWS = (slice(0, 6), slice(6, 10))


class StyledGenerator(TinyGenerator):
    """Its factors are the first numbers of a code."""

    style_rows = ROWS

    def styles(self, latents: np.ndarray) -> np.ndarray:
        return latents[:, 0, :10]


def shown(seed: int) -> FacePicture:
    code = np.random.default_rng(seed).standard_normal((16, 512)).astype(np.float32)
    return FacePicture(lambda: np.zeros((256, 256, 3), np.uint8), lambda: code)


def own() -> FacePicture:
    return FacePicture(lambda: np.zeros((256, 256, 3), np.uint8), lambda: tiny_portrait().latents)


@pytest.fixture
def stylemask() -> StyleMask:
    torch.manual_seed(0)
    networks = MaskNetworks(ROWS)
    for parameter in networks.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return StyleMask(networks.requires_grad_(False), StyledGenerator())


def offsets(
    method: StyleMask, picture: FacePicture, rest: FacePicture, strength: float = 1.0
) -> np.ndarray:
    drive = method.drive(tiny_portrait(), Target(FACE_SCHEMA.rest, picture, rest, strength))
    np.testing.assert_array_equal(drive.latents, tiny_portrait().latents)
    return drive.styles.values


def test_masks_begin_as_halves() -> None:
    torch.manual_seed(0)
    masks = MaskNetworks(ROWS)(torch.randn(5, 10)).detach()
    assert float((masks - 0.5).abs().max()) < 0.02


def test_where_the_driver_is_as_at_rest_the_photo_stays(stylemask: StyleMask) -> None:
    assert not offsets(stylemask, shown(1), shown(1)).any()


def test_measured_against_the_source_the_rule_is_the_papers(stylemask: StyleMask) -> None:
    source, driver = (torch.from_numpy(x.code[:1, :10]) for x in (own(), shown(1)))
    networks = stylemask._networks
    expected = networks(source - driver) * (driver - source)
    np.testing.assert_allclose(offsets(stylemask, shown(1), own()), expected[0], atol=1e-6)


def test_strength_is_how_much_is_put_on(stylemask: StyleMask) -> None:
    half, whole = (offsets(stylemask, shown(1), shown(2), s) for s in (0.5, 1.0))
    np.testing.assert_allclose(2 * half, whole, rtol=1e-5)


def test_weights_that_are_damaged_are_told(tmp_path) -> None:
    (tmp_path / "stylemask.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="mask networks cannot be read"):
        read_mask_networks(tmp_path / "stylemask.safetensors", ROWS)
