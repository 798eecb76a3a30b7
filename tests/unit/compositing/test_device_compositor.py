"""The stage on a torch device makes the frames that the one on the processor makes.

Torch's CPU device stands for the others, with one thing forbidden that only it can do: to be read
as an array without being fetched.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from photorig.shared.errors import ModelError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker import rasters, tensors
from photorig.worker.compositing.compositor import PortraitStage
from photorig.worker.compositing.device_compositor import DeviceStage
from photorig.worker.generators.batches import Batches
from photorig.worker.generators.torch_backend import TorchGenerator
from photorig.worker.generators.weights import load_weights
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import load_bundle
from photorig.worker.reenactment.renderer import FaceRenderer

from ..golden_frames import golden_portrait

pytestmark = pytest.mark.weights("random-face", "person-matte", "face-landmarker")

CPU = torch.device("cpu")
SMILE = {"mouthSmileLeft": 0.8, "jawOpen": 0.6, "eyeBlinkRight": 1.0, "eyeLookOutLeft": 0.5}
MOVED = {"headX": 1.5, "headY": -0.5, "headZ": 2.0}


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return golden_portrait()


@pytest.fixture(scope="module")
def generator() -> TorchGenerator:
    return TorchGenerator(load_weights(), CPU, "f32", Batches("cpu", largest=2))


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tensors of other devices cannot be read as arrays; from now on those of this one cannot,
    either, but where they are fetched. Returns how many numbers each time."""
    read: list[int] = []
    numpy_of = torch.Tensor.numpy

    def refused(*_: Any, **__: Any) -> None:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def fetched(images: torch.Tensor) -> np.ndarray:
        read.append(images.numel())
        return numpy_of(images)

    monkeypatch.setattr(torch.Tensor, "__array__", refused)
    monkeypatch.setattr(torch.Tensor, "numpy", refused)
    monkeypatch.setattr(tensors, "fetched", fetched)
    return read


def request(portrait: Portrait, values: dict[str, float], size: Any = 256) -> FrameRequest:
    return FrameRequest(portrait.id, FACE_SCHEMA.vector(values), size, frame=1)


def frames(
    generator: TorchGenerator, portrait: Portrait, asked: FrameRequest
) -> tuple[np.ndarray, np.ndarray]:
    """Of the processor's stage and of the device's."""
    bundle = load_bundle()
    on_processor = FaceRenderer(bundle, generator, PortraitStage())
    on_device = FaceRenderer(bundle, generator, DeviceStage(CPU))
    return on_processor.render(portrait, asked), on_device.render(portrait, asked)


def check_same(wanted: np.ndarray, frame: np.ndarray) -> None:
    """PSNR of 60 dB and more, and hardly a level apart anywhere."""
    apart = np.abs(wanted.astype(int) - frame)
    assert frame.dtype == np.uint8
    assert wanted.shape == frame.shape
    assert 10 * np.log10(255**2 / max((apart**2).mean(), 1e-9)) > 60
    assert np.quantile(apart, 0.9999) <= 1


@pytest.mark.parametrize(
    ("values", "size"),
    [
        (SMILE, 256),
        (MOVED, 256),
        ({**SMILE, **MOVED}, "full"),
        ({"tongueOut": 0.8, "jawOpen": 0.5}, 256),
        (SMILE, 512),
    ],
    ids=["expression", "moved", "both, whole photo", "tongue", "larger"],
)
def test_frames_are_those_of_the_processor(
    generator: TorchGenerator, portrait: Portrait, values: dict[str, float], size: Any
) -> None:
    check_same(*frames(generator, portrait, request(portrait, values, size)))


def test_a_grey_photo_stays_grey(generator: TorchGenerator, portrait: Portrait) -> None:
    grey = cv2.cvtColor(portrait.photo, cv2.COLOR_RGB2GRAY)
    portrait = replace(portrait, photo=np.repeat(grey[..., None], 3, 2))
    wanted, frame = frames(generator, portrait, request(portrait, SMILE))
    check_same(wanted, frame)
    assert (frame == frame[..., :1]).all()


@pytest.mark.parametrize(("width", "share"), [(None, 0.0), (1.0, 0.05)], ids=["still", "moved"])
def test_a_frame_crosses_the_bus_once(
    generator: TorchGenerator,
    portrait: Portrait,
    monkeypatch: pytest.MonkeyPatch,
    width: float | None,
    share: float,
) -> None:
    """Where the head moves there are the edges of its matte besides, a line each."""
    moved = {} if width is None else {"headX": width}
    renderer = FaceRenderer(load_bundle(), generator, DeviceStage(CPU))
    renderer.render(portrait, request(portrait, {"headX": 0.5}))  # what rests is made once
    read = forbid_reading(monkeypatch)
    frame = renderer.render(portrait, request(portrait, {**SMILE, **moved}))
    assert max(read) == frame.size
    assert sum(read) <= (1 + share) * frame.size


@pytest.mark.parametrize(
    "values", [{"headYaw": 15.0}, {**SMILE, "headPitch": 10.0}], ids=["turned", "nodding"]
)
def test_a_turned_head_is_made_on_the_processor(
    generator: TorchGenerator, portrait: Portrait, values: dict[str, float]
) -> None:
    check_same(*frames(generator, portrait, request(portrait, values)))


def test_a_portrait_without_a_mesh_is_made_on_the_processor(
    generator: TorchGenerator, portrait: Portrait
) -> None:
    asked = replace(request(portrait, SMILE), method="calibrated")
    wanted, frame = frames(generator, portrait, asked)
    np.testing.assert_array_equal(wanted, frame)


def test_passes_are_arrays(generator: TorchGenerator, portrait: Portrait) -> None:
    renderer = FaceRenderer(load_bundle(), generator, DeviceStage(CPU))
    passes = renderer.passes(portrait, request(portrait, SMILE))
    for picture in (passes.combined, passes.face, passes.matte):
        assert isinstance(picture, np.ndarray)


def test_frames_of_the_other_stage_are_not_taken_for_its_own() -> None:
    assert DeviceStage(CPU).id != PortraitStage().id


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "not enough memory for one frame"),
        (RuntimeError("CUDA error: device-side assert triggered"), "was lost"),
    ],
)
def test_a_device_that_fails_is_a_sentence(
    generator: TorchGenerator,
    portrait: Portrait,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    sentence: str,
) -> None:
    def failing(*_: Any) -> None:
        raise error

    renderer = FaceRenderer(load_bundle(), generator, DeviceStage(CPU))
    monkeypatch.setattr(tensors, "blended", failing)
    with pytest.raises(ModelError, match=sentence):
        renderer.render(portrait, request(portrait, SMILE))


# --- operations: what torch does is what OpenCV does

PICTURE = cv2.GaussianBlur(
    np.random.default_rng(3).integers(0, 256, (37, 52, 3), np.uint8), (0, 0), 1.5
)
FIELD = PICTURE.astype(np.float32)
PLACES = np.stack(
    [np.random.default_rng(n).uniform(-9, 60, (20, 30)).astype(np.float32) for n in (4, 5)], -1
)
MATRIX = np.array([[0.9, 0.2, -4.0], [-0.1, 1.1, 3.0]])
OPERATIONS: dict[str, Any] = {
    "sampled cubic": lambda x: rasters.sampled(
        x, rasters.like(PLACES, x), cv2.INTER_CUBIC, cv2.BORDER_REFLECT_101
    ),
    "sampled to the edge": lambda x: rasters.sampled(
        x, rasters.like(PLACES, x), cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    ),
    "sampled beyond": lambda x: rasters.sampled(x, rasters.like(PLACES, x), cv2.INTER_CUBIC),
    "warped": lambda x: rasters.warped(x, MATRIX, (40, 44), cv2.BORDER_REPLICATE),
    "warped to a number": lambda x: rasters.warped(x, MATRIX, (40, 44), cv2.BORDER_CONSTANT, 9.0),
    "smaller": lambda x: rasters.resized(x, (21, 17), cv2.INTER_AREA),
    "halved": lambda x: rasters.resized(x, (26, 18), cv2.INTER_AREA),
    "larger": lambda x: rasters.resized(x, (97, 80)),
    "blended": lambda x: rasters.blended(
        x,
        rasters.copied(x) // 2,
        rasters.like(np.linspace(0, 1, 37 * 52, dtype=np.float32), x).reshape(37, 52),
    ),
    "filtered": lambda x: rasters.filtered(x, np.array([-1, 4, 10, 4, -1], np.float32) / 16),
    "padded": lambda x: rasters.padded(x, (3, 0, 5, 5), cv2.BORDER_REFLECT_101),
    "saturated": lambda x: rasters.saturated(1.5 * rasters.floats(x) - 40),
    "changed": lambda x: rasters.changed(rasters.levels(x), rasters.like(60 * np.sin(FIELD), x)),
    "greys": lambda x: rasters.greys(rasters.levels(x)),
}
OF_NUMBERS: dict[str, Any] = {
    "gaussian": lambda x: rasters.gaussian(x, 1.5),
    "a small kernel": lambda x: rasters.gaussian(x, 0, 3),
    "averaged": lambda x: rasters.averaged(x, 5),
    "averaged over an even number": lambda x: rasters.averaged(x, 4),
    "slopes across": lambda x: rasters.slopes(x, 0),
    "slopes down": lambda x: rasters.slopes(x, 1),
    "transformed": lambda x: rasters.transformed(x, np.array([[0.2, 0.3, 0.5], [1, 0, -1]])),
    "summed": lambda x: rasters.transformed(x, np.ones((1, 3))),
    "lengths": lambda x: rasters.lengths(x[..., :2] + 0),
    "apart": lambda x: rasters.apart(rasters.levels(x), rasters.levels(255 - x)),
    "repeated": lambda x: rasters.repeated(x[..., 0] + 0, 3),
    "ratio": lambda x: rasters.scaled_ratio(x, x + 3, 2.0),
}


@pytest.mark.weights()
@pytest.mark.parametrize("work", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_operations_on_levels(work: Any) -> None:
    wanted, found = work(PICTURE), rasters.finished(work(torch.from_numpy(PICTURE)))
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    assert np.abs(wanted.astype(int) - found).max() <= 1
    assert (wanted != found).mean() < 0.2  # OpenCV computes some in whole numbers


@pytest.mark.weights()
@pytest.mark.parametrize(
    "work",
    [*OPERATIONS.values(), *OF_NUMBERS.values()],
    ids=[*OPERATIONS.keys(), *OF_NUMBERS.keys()],
)
def test_operations_on_numbers(work: Any) -> None:
    wanted, found = work(FIELD), rasters.finished(work(torch.from_numpy(FIELD)))
    assert found.shape == wanted.shape
    near = 1 if wanted.dtype == np.uint8 else 0.01
    assert np.abs(wanted.astype(np.float64) - found).max() <= near
