"""From the generator's picture to the frame, with real weights and a person who does not exist."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.reenactment.target import Target

pytestmark = pytest.mark.weights("random-face", "face-landmarker", "person-matte")

SIZE = 256
SEED = 24  # a man with wild hair before a bright room


@pytest.fixture(scope="module")
def renderer() -> Any:
    from photorig.worker.reenactment.renderer import load_renderer

    return load_renderer("cpu")


@pytest.fixture(scope="module")
def net3d() -> Any:
    from photorig.worker.faces.net3d import Net3D

    return Net3D()


@pytest.fixture(scope="module")
def portrait(renderer: Any, net3d: Any) -> Any:
    from photorig.worker.fitting.sample import sample_portrait

    return sample_portrait(renderer.generator, net3d, SEED, 0.8)


@pytest.fixture(scope="module")
def rest(renderer: Any, portrait: Any) -> np.ndarray:
    return portrait.alignment.crop(portrait.photo, SIZE)


def render(renderer: Any, portrait: Any, size: int | str = SIZE, **values: float) -> np.ndarray:
    parameters = FACE_SCHEMA.vector(values)
    frame: np.ndarray = renderer.render(portrait, FrameRequest(portrait.id, parameters, size))
    return frame


def nobody(renderer: Any, *pictures: np.ndarray) -> np.ndarray:
    """(h, w) bool, where no picture shows the person, well away from their edges."""
    from photorig.worker.compositing.layers import grown

    matte = renderer._stage._matte
    person = np.max([matte.person(picture) for picture in pictures], 0)
    return grown((person > 0.05).astype(np.float32), 0.09 * SIZE) == 0


def test_at_rest_the_frame_is_the_aligned_photo_bit_for_bit(
    renderer: Any, portrait: Any, rest: np.ndarray
) -> None:
    np.testing.assert_array_equal(render(renderer, portrait), rest)


@pytest.mark.parametrize(
    ("move", "levels"),
    [
        ({"headRoll": 0.01}, 6),
        ({"headRoll": 0.05}, 25),
        ({"headX": 0.005}, 8),
        ({"headZ": 0.01}, 8),
        ({"headYaw": 0.02}, 8),
    ],
    ids=str,
)
def test_nothing_jumps_when_a_motion_begins(
    renderer: Any, portrait: Any, rest: np.ndarray, move: dict[str, float], levels: int
) -> None:
    # 0.05° moves the hair by a sixth of a pixel: a sixth of the contrast at its edge.
    change = np.abs(render(renderer, portrait, **move).astype(int) - rest)
    assert change.max() <= levels
    assert change.mean() < 0.6


def flicker(renderer: Any, portrait: Any, size: int, start: float, **step: float) -> Any:
    """Mean and largest second difference, in levels, of twelve frames of a slow move."""
    names = {name: FACE_SCHEMA.vector({name: 1.0}) for name in step}
    frames = []
    for count in range(12):
        values = sum(vector * (start + step[name] * count) for name, vector in names.items())
        request = FrameRequest(portrait.id, values.astype(np.float32), size)
        frames.append(renderer.render(portrait, request).astype(int))
    jerks = np.abs(np.diff(frames, 2, axis=0))
    return float(jerks.mean()), int(jerks.max())


@pytest.fixture(scope="module")
def exact(renderer: Any) -> Any:
    """The same in f32, which is all that processors without bf16 have."""
    from photorig.worker.generators import load_generator
    from photorig.worker.reenactment.renderer import FaceRenderer

    return FaceRenderer(renderer.bundle, load_generator("cpu", "f32"))


SLOW = {
    "a turn from rest": (256, 0.0, {"headYaw": 0.02}, 1.3),
    "a turn from rest, larger": (512, 0.0, {"headYaw": 0.02}, 1.4),
    "a turn under way": (256, 5.0, {"headYaw": 0.02}, 1.5),
    "a smile": (256, 0.0, {"mouthSmileLeft": 0.007, "mouthSmileRight": 0.007}, 1.4),
    "a jaw": (256, 0.05, {"jawOpen": 0.002}, 1.9),
}
"""Size, first value, step a frame, and how many times the flicker of f32 there may be."""


@pytest.mark.parametrize("name", SLOW)
def test_slow_moves_hardly_flicker_more_than_rounding_to_levels_makes_them(
    renderer: Any, exact: Any, portrait: Any, name: str
) -> None:
    size, start, step, times = SLOW[name]
    mean, largest = flicker(exact, portrait, size, start, **step)
    assert mean < 0.55
    if renderer.generator.backend != exact.generator.backend:
        mean_here, largest_here = flicker(renderer, portrait, size, start, **step)
        assert mean_here < times * mean
        assert largest_here < 1.5 * largest + 6


@pytest.mark.parametrize("move", [{"jawOpen": 0.002}, {"eyeBlinkLeft": 0.01}], ids=str)
def test_a_frame_changes_hardly_more_than_the_generators_picture(
    renderer: Any, portrait: Any, rest: np.ndarray, move: dict[str, float]
) -> None:
    shift = renderer.bundle.within_range(portrait, FACE_SCHEMA.vector(move))
    pictures = [
        renderer.generator.synthesize(latents[None], SIZE)[0].astype(int)
        for latents in (
            portrait.latents,
            renderer._method("calibrated").drive(portrait, Target(shift)).latents,
        )
    ]
    generated = np.abs(pictures[1] - pictures[0])
    change = np.abs(render(renderer, portrait, **move).astype(int) - rest)
    assert generated.max() > 0
    assert change.mean() < 1.2 * generated.mean() + 0.02
    assert change.max() < 1.2 * generated.max() + 8


@pytest.mark.parametrize("move", [{"headYaw": 15.0}, {"headRoll": 25.0, "jawOpen": 0.5}], ids=str)
def test_the_background_away_from_the_person_stays_bit_for_bit(
    renderer: Any, portrait: Any, rest: np.ndarray, move: dict[str, float]
) -> None:
    frame = render(renderer, portrait, **move)
    background = nobody(renderer, rest, frame)
    assert background.mean() > 0.02
    np.testing.assert_array_equal(frame[background], rest[background])
    assert np.abs(frame.astype(int) - rest).mean() > 3, "the person does move"


def test_frames_do_not_depend_on_what_was_asked_before(renderer: Any, portrait: Any) -> None:
    from photorig.worker.reenactment.renderer import FaceRenderer

    moves = [{"headRoll": 20.0}, {"headYaw": 10.0, "headX": 2.0}, {"headRoll": -5.0, "headZ": 4.0}]
    forward = [render(renderer, portrait, **move).tobytes() for move in moves]
    fresh = FaceRenderer(renderer.bundle, renderer.generator)
    backward = [render(fresh, portrait, **move).tobytes() for move in reversed(moves)]
    assert forward == backward[::-1]


@pytest.mark.parametrize("roll", [-30, -15, 15, 30])
def test_the_roll_measured_is_the_roll_asked_for(
    renderer: Any, portrait: Any, net3d: Any, roll: float
) -> None:
    position = FACE_SCHEMA.index["headRoll"]
    frame = render(renderer, portrait, headRoll=float(roll))
    measured = net3d.analyze_one(frame).parameters[position] - portrait.parameters[position]
    assert measured == pytest.approx(roll, abs=1.5)


def test_a_shift_is_seen_in_centimetres(
    renderer: Any, portrait: Any, net3d: Any, rest: np.ndarray
) -> None:
    def eyes(picture: np.ndarray) -> tuple[np.ndarray, float]:
        points = net3d.analyze_one(picture).landmarks[[33, 133, 362, 263], :2]
        right, left = points[:2].mean(0), points[2:].mean(0)
        return (left + right) / 2, float(np.hypot(*(left - right)))

    place, distance = eyes(rest)
    moved, _ = eyes(render(renderer, portrait, headX=3.0, headY=-2.0))
    centimetre = distance / 6.3  # between the middles of the eyes
    np.testing.assert_allclose((moved - place) / centimetre, [3.0, 2.0], rtol=0.12)
    _, nearer = eyes(render(renderer, portrait, headZ=8.0))
    assert nearer / distance == pytest.approx(80 / 72, abs=0.02)


def test_in_the_whole_photo_the_head_moves_and_the_rest_of_the_photo_stays(
    renderer: Any, portrait: Any, rest: np.ndarray
) -> None:
    from dataclasses import replace

    # The person small in a larger photo: the head can leave the aligned square.
    photo = np.full((400, 420, 3), 90, np.uint8)
    photo[..., 1] += np.arange(420, dtype=np.uint8) // 4
    photo[100:356, 80:336] = rest
    alignment = Alignment(np.array([[1 / 256, 0, -80 / 256], [0, 1 / 256, -100 / 256]]))
    placed = replace(portrait, photo=photo, alignment=alignment)
    frame = render(renderer, placed, "full", headRoll=-25.0)
    np.testing.assert_array_equal(frame[:20], photo[:20])
    np.testing.assert_array_equal(frame[:, :40], photo[:, :40])
    assert np.abs(frame.astype(int) - photo).mean() > 3
    still = render(renderer, placed, "full")
    np.testing.assert_array_equal(still, photo)
    slightly = render(renderer, placed, "full", headRoll=0.02)
    assert np.abs(slightly.astype(int) - still).max() <= 10
