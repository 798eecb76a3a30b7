"""What one face was seen to do corrects what it is asked to do, and is kept in its portrait."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.portraits.response import (
    ARRAYS,
    GREATEST_GAIN,
    KNOTS,
    LEAST_GAIN,
    TURNS,
    PortraitResponse,
    believable,
    believable_turns,
    interpolated,
)
from photorig.worker.reenactment.bundle import ModelBundle
from photorig.worker.reenactment.calibration import measure_response

from ..fakes import TinyGenerator, driven, tiny_bundle, tiny_portrait

N = len(FACE_SCHEMA)
YAW, PITCH, JAW = (FACE_SCHEMA.index[name] for name in ("headYaw", "headPitch", "jawOpen"))
ANGLES = (YAW, PITCH)


def response(gain: float = 1.0, bundle_id: str = "b") -> PortraitResponse:
    """A face that does ``gain`` of what it is given, in everything."""
    moved = np.tile(np.linspace(-1, 1, KNOTS, dtype=np.float32), (N, 1))
    turned = np.tile(np.linspace(-1, 1, TURNS, dtype=np.float32), (2, 1))
    turns_seen = np.zeros((TURNS, TURNS, 3), np.float32)
    turns_seen[..., 0] = gain * turned[0][:, None]
    turns_seen[..., 1] = gain * turned[1]
    lowest, highest = np.full(N, -40, np.float32), np.full(N, 40, np.float32)
    return PortraitResponse(bundle_id, moved, moved * gain, turned, turns_seen, lowest, highest)


def wish(**values: float) -> np.ndarray:
    return FACE_SCHEMA.vector(values)


def test_a_face_that_answers_half_as_much_is_asked_for_twice_as_much() -> None:
    given = response(gain=0.5).give(wish(jawOpen=0.4, headYaw=-0.3), ANGLES)
    assert given[JAW] == pytest.approx(0.8)
    assert given[YAW] == pytest.approx(-0.6)


def test_a_head_that_nods_when_it_turns_is_held_level() -> None:
    nods = response()
    nods.turns_seen[..., 1] += 0.2 * nods.turned[0][:, None]
    given = nods.give(wish(headYaw=0.5), ANGLES)
    assert given[YAW] == pytest.approx(0.5)
    assert given[PITCH] == pytest.approx(-0.1)


def test_a_head_that_turns_less_while_it_looks_up_is_turned_further() -> None:
    stiff = response()
    stiff.turns_seen[..., 0] *= 1 - 0.5 * np.maximum(stiff.turned[1], 0)
    given = stiff.give(wish(headYaw=0.5, headPitch=0.5), ANGLES)
    assert given[YAW] == pytest.approx(0.5 / 0.75)
    assert given[PITCH] == pytest.approx(0.5)


def test_rest_stays_exactly_at_rest() -> None:
    odd = response(gain=0.7)
    odd.turns_seen[:, :] += 0.1
    odd.turns_seen[TURNS // 2, TURNS // 2] = 0
    assert not odd.give(FACE_SCHEMA.rest, ANGLES).any()
    assert odd.tilt(FACE_SCHEMA.rest, ANGLES) == 0


def test_a_head_that_leans_when_it_turns_says_how_far() -> None:
    leans = response()
    leans.turns_seen[..., 2] = 1.5 * leans.turned[0][:, None]
    assert leans.tilt(wish(headYaw=0.8), ANGLES) == pytest.approx(1.2)
    assert leans.tilt(wish(jawOpen=0.8), ANGLES) == 0


def test_a_face_is_asked_for_no_more_than_it_can_show() -> None:
    bundle = tiny_bundle(limit=0.5)
    able = response(bundle_id=bundle.id)
    able.highest[JAW] = 0.42
    portrait = replace(tiny_portrait(), parameters=FACE_SCHEMA.rest, response=able)
    assert bundle.within_range(portrait, wish(jawOpen=0.9))[JAW] == pytest.approx(0.6)
    assert bundle.beyond_range(portrait, wish(jawOpen=0.7)) == ["jawOpen"]


def test_beyond_what_was_measured_it_goes_straight_on() -> None:
    knots, heights = np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, 1.0, 4.0]])
    assert interpolated(np.array([3.0]), knots, heights) == pytest.approx([7.0])
    assert interpolated(np.array([-1.0]), knots, heights) == pytest.approx([-1.0])


@pytest.mark.parametrize("seen", [[1, -1, 0, 5, 4], [-9, -5, 0, 5, 9], [0, 0, 0, 0, 0]])
def test_an_unbelievable_answer_becomes_one_that_can_be_undone(seen: list[float]) -> None:
    moved = np.linspace(-1, 1, 5)[None]
    result = believable(moved, np.array([seen], np.float64))
    steps = np.diff(result) / np.diff(moved)
    assert result[0, 2] == 0
    assert steps.min() >= LEAST_GAIN - 1e-9
    assert steps.max() <= GREATEST_GAIN + 1e-9


def test_a_turned_head_without_a_face_is_the_sum_of_its_parts() -> None:
    whole = response(gain=0.9)
    seen = whole.turns_seen.astype(np.float64)
    seen[0, 0] = seen[4, 4] = np.nan
    np.testing.assert_allclose(believable_turns(whole.turned, seen), whole.turns_seen, atol=1e-6)


def test_no_face_in_any_turn_leaves_a_head_that_does_as_asked() -> None:
    plain = response()
    result = believable_turns(plain.turned, np.full((TURNS, TURNS, 3), np.nan))
    np.testing.assert_allclose(result, plain.turns_seen, atol=1e-6)


def test_a_face_that_was_not_seen_is_taken_to_do_as_asked() -> None:
    moved = np.linspace(-1, 1, KNOTS)[None]
    np.testing.assert_array_equal(believable(moved, np.full((1, KNOTS), np.nan)), moved)


def test_the_response_comes_back_with_the_portrait() -> None:
    portrait = replace(tiny_portrait(), response=response(gain=0.8))
    loaded = Portrait.from_bytes(portrait.to_bytes()).response
    assert loaded is not None
    assert loaded.bundle_id == "b"
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(portrait.response, name))
    assert portrait.id != tiny_portrait().id


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("value", [np.nan, 1e9])
def test_a_portrait_with_a_broken_response_is_refused(name: str, value: float) -> None:
    broken = response()
    array = getattr(broken, name)
    array[tuple(side // 2 for side in array.shape)] = -value if name == "highest" else value
    with pytest.raises(InputError, match="damaged"):
        Portrait.from_bytes(replace(tiny_portrait(), response=broken).to_bytes())


def test_a_response_of_an_earlier_form_is_measured_anew_and_not_misread() -> None:
    content = replace(tiny_portrait(), response=response()).to_bytes()
    earlier = content.replace(b'response_form\\": 2', b'response_form\\": 1')
    assert earlier != content
    assert Portrait.from_bytes(earlier).response is None


def test_a_portrait_that_was_measured_with_another_bundle_is_driven_as_by_directions() -> None:
    bundle = tiny_bundle()
    shift = wish(jawOpen=0.2, headYaw=0.1)
    plain = driven("directions", bundle, tiny_portrait(), shift).latents
    stranger = replace(tiny_portrait(), response=response(0.5, "another bundle"))
    known = replace(tiny_portrait(), response=response(0.5, bundle.id))
    np.testing.assert_array_equal(
        driven("calibrated", bundle, tiny_portrait(), shift).latents, plain
    )
    np.testing.assert_array_equal(driven("calibrated", bundle, stranger, shift).latents, plain)
    assert np.abs(driven("calibrated", bundle, known, shift).latents - plain).max() > 1e-3


class FaceThatAnswers:
    """Reads off the latents how far they were moved, and does 0.8 of it."""

    def __init__(self, bundle: ModelBundle, portrait: Portrait) -> None:
        self.bundle, self.portrait = bundle, portrait
        self.generator = TinyGenerator()
        self.generator.synthesize = self.synthesize  # type: ignore[method-assign]
        matrix = bundle.directions.reshape(N, -1)
        self._solve = np.linalg.pinv(matrix.T.astype(np.float64))

    def synthesize(self, latents: np.ndarray, size: int, styles: object = None) -> np.ndarray:
        rows = self.bundle.directions.shape[1]
        shift = (latents[0, :rows] - self.portrait.latents[:rows]).ravel()
        self._motion = self._solve @ shift
        return np.zeros((1, size, size, 3), np.uint8)

    def analyze_one(self, image: np.ndarray) -> SimpleNamespace:
        seen = self.portrait.parameters + 0.8 * self._motion
        return SimpleNamespace(parameters=seen.astype(np.float32))


def test_a_measured_face_then_does_what_is_asked() -> None:
    bundle, portrait = tiny_bundle(limit=1.0), tiny_portrait()
    face = FaceThatAnswers(bundle, portrait)
    measured = measure_response(portrait, bundle, face.generator, face)  # type: ignore[arg-type]
    assert measured.bundle_id == bundle.id
    given = measured.give(wish(jawOpen=0.4, headYaw=-0.5), bundle.head_angles)
    assert given[JAW] == pytest.approx(0.5, abs=1e-3)
    assert given[YAW] == pytest.approx(-0.625, abs=1e-3)


def test_a_face_that_is_never_found_is_driven_like_any_other() -> None:
    class Blind:
        def analyze_one(self, image: np.ndarray) -> SimpleNamespace:
            raise InputError("No face was found")

    bundle, portrait = tiny_bundle(), tiny_portrait()
    pictures = FaceThatAnswers(bundle, portrait).generator
    measured = measure_response(portrait, bundle, pictures, Blind())  # type: ignore[arg-type]
    np.testing.assert_array_equal(measured.seen, measured.moved)
    np.testing.assert_allclose(measured.turns_seen[:, 2, 0], measured.turned[0], atol=1e-6)
