"""What Net3D reads of a face, and how much of ARKit's motion that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photorig.shared.parameters.arkit_amounts import READINGS, amounts_of, has_curve, readings_of
from photorig.shared.parameters.schema import ARKIT_NAMES, FACE_SCHEMA


def amount(name: str, reading: float) -> float:
    return float(amounts_of(FACE_SCHEMA.vector({name: reading}))[FACE_SCHEMA.index[name]])


@pytest.mark.parametrize("name", ["eyeBlinkLeft", "jawOpen", "mouthSmileRight", "eyeSquintLeft"])
def test_what_a_face_at_rest_reads_is_nothing_and_what_full_motion_reads_is_one(name: str) -> None:
    curve = READINGS[name.removesuffix("Left").removesuffix("Right")]
    assert amount(name, curve[0]) == pytest.approx(0, abs=1e-6)
    assert amount(name, curve[-1]) == pytest.approx(1)
    assert amount(name, 1.0) == 1, "there is no more than full motion"


@given(st.lists(st.floats(0, 1), min_size=len(ARKIT_NAMES), max_size=len(ARKIT_NAMES)))
def test_amounts_come_back_from_what_they_read(values: list[float]) -> None:
    amounts = FACE_SCHEMA.vector(dict(zip(ARKIT_NAMES, values, strict=True)))
    np.testing.assert_allclose(amounts_of(readings_of(amounts)), amounts, atol=1e-5)


def test_angles_centimetres_and_what_has_no_curve_stay() -> None:
    values = FACE_SCHEMA.vector(
        {"headYaw": -12.5, "headX": 3.0, "cheekPuff": 0.4, "browDownLeft": 0.2}
    )
    named = FACE_SCHEMA.named(amounts_of(values))
    assert (named["headYaw"], named["headX"]) == (-12.5, 3.0)
    assert named["cheekPuff"] == pytest.approx(0.4)
    assert not has_curve("browDownLeft") and has_curve("eyeLookInRight")


def test_many_frames_are_one_array_and_shorter_vectors_the_first_parameters() -> None:
    frames = np.tile(FACE_SCHEMA.vector({"jawOpen": 0.42}), (3, 1))
    assert amounts_of(frames)[:, FACE_SCHEMA.index["jawOpen"]] == pytest.approx(0.6)
    np.testing.assert_array_equal(amounts_of(frames[0, :30]), amounts_of(frames[0])[:30])
    assert amounts_of(np.array([0.42]), ["jawOpen"])[0] == pytest.approx(0.6)


@pytest.mark.parametrize("curve", READINGS.values(), ids=READINGS)
def test_more_motion_always_reads_more(curve: tuple[float, ...]) -> None:
    assert (np.diff(curve) > 0).all()
