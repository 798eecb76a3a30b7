"""A recording's face learned from some of its frames, and the numbers of the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photorig.worker.faces.landmarker import load_landmarker
from photorig.worker.faces.recognition import load_recognition
from photorig.worker.fitting.driving_footage import AlignedFace
from photorig.worker.fitting.face_numbers import (
    N_SOUGHT,
    SIDE,
    Examples,
    FaceEncoder,
    FrameTarget,
    NumberedFace,
    NumberSettings,
    turns_of,
)
from photorig.worker.fitting.take_learning import LearningSettings, chosen_frames, learn_face
from photorig.worker.generators import load_network
from photorig.worker.generators.mobile_stylegan import to_uint8
from photorig.worker.generators.network import Network
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import ModelBundle, load_bundle
from photorig.worker.reenactment.stylespace import load_channels, longest_numbers

JAW = 2
GENTLY = LearningSettings(
    steps=15, weights_rate=3e-4, code_rate=0.01, directions_rate=0.005, numbers_rate=0.04
)
"""The frames are pictures of the generator itself: there is little to learn."""


def test_frames_that_differ_most_are_chosen_and_faces_that_are_missing_are_none() -> None:
    faces: list[np.ndarray | None] = [np.full((478, 2), float(x)) for x in (0, 0, 1, 9, 10, 0)]
    faces[5] = None
    assert chosen_frames(faces, 2) == [0, 4]
    assert chosen_frames(faces, 3) == [0, 2, 4]
    assert chosen_frames(faces, 100) == [0, 2, 3, 4]  # a frame that repeats another says nothing


def test_numbers_are_guessed_from_examples() -> None:
    random = np.random.default_rng(0)
    landmarks, numbers = random.standard_normal((5, 956)), random.standard_normal((5, N_SOUGHT))
    numbers[0] = 0
    examples = Examples(landmarks, numbers)
    np.testing.assert_array_equal(examples.guess(landmarks[0].reshape(478, 2)), 0)
    np.testing.assert_allclose(examples.guess(landmarks[2].reshape(478, 2)), numbers[2], atol=0.1)
    between = ((landmarks[1] + landmarks[3]) / 2).reshape(478, 2)
    np.testing.assert_allclose(examples.guess(between), (numbers[1] + numbers[3]) / 2, atol=0.1)


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network()


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    return load_bundle()


@pytest.fixture
def portrait(network: Network) -> Portrait:
    """The mean face, not well fitted."""
    latents = network.expand(network.mean_latent[None]).clone()
    with torch.no_grad():
        photo = to_uint8(network(latents, SIDE))[0]
    latents += (
        0.5 * network.latent_std * torch.randn(512, generator=torch.Generator().manual_seed(0))
    )
    values = np.zeros(58, np.float32)
    place = Alignment.upright(SIDE)
    return Portrait(latents[0].numpy().copy(), values, photo, place, network.model_id, "mean")


def frame(network: Network, bundle: ModelBundle, jaw: float) -> AlignedFace:
    """The mean face with its jaw so far open."""
    latents = network.expand(network.mean_latent[None])
    channels = torch.from_numpy(load_channels(network.styles(latents).shape[1]).offsets)
    with torch.no_grad():
        image = network(latents, SIDE, styles=(jaw * channels[JAW - 2])[None])
    landmarker = load_landmarker()
    with torch.no_grad():
        seen = image * 0.5 + 0.5
        regions, _ = landmarker.detect_regions(seen)
        points = landmarker.measure(seen, regions).landmarks_px[0, :, :2].numpy()
    return AlignedFace(to_uint8(image)[0], points)


@pytest.mark.weights("face-landmarker", "random-face", "sface")
def test_a_face_comes_nearer_and_its_frames_are_found(
    network: Network, bundle: ModelBundle, portrait: Portrait
) -> None:
    recognition, shown = load_recognition(), [frame(network, bundle, a) for a in (0.5, 1)]
    learned = learn_face(
        portrait,
        shown,
        bundle,
        recognition,
        load_landmarker(),
        GENTLY,
    )
    assert learned.directions.offsets.shape[0] == N_SOUGHT
    assert not learned.examples.numbers[0].any()
    assert learned.examples.numbers[2][JAW] > learned.examples.numbers[1][JAW] > 0
    assert learned.portrait.tuning is not None and learned.portrait.geometry is None
    between = frame(network, bundle, 0.75)
    encoder = FaceEncoder(
        learned.portrait,
        learned.directions,
        learned.examples,
        bundle,
        recognition,
        NumberSettings(steps=2),
    )
    found = encoder.encode(between)
    assert 0.2 < found.amounts[0] < 1.2
    everything = np.concatenate([found.turn, found.amounts])
    assert (np.abs(everything) <= longest_numbers(bundle)).all()
    still = NumberedFace(
        network,
        torch.from_numpy(portrait.latents)[None],
        turns_of(bundle),
        torch.zeros(N_SOUGHT, learned.directions.offsets.shape[1]),
    )
    target = FrameTarget.of(between, recognition)
    with torch.no_grad():
        made = encoder.picture(found)
        at_rest = still.picture(torch.zeros(N_SOUGHT))
        assert target.pixels_apart(made) < 0.8 * target.pixels_apart(at_rest)
