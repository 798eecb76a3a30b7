"""Gain and mirror of a shot: they move the way from the photo, never the photo itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from photorig.shared.parameters.adjustment import adjusted
from photorig.shared.parameters.schema import FACE_SCHEMA

fractions = arrays(np.float32, len(FACE_SCHEMA), elements=st.floats(0, 1, width=32))


def within_limits(fraction: np.ndarray) -> np.ndarray:
    return FACE_SCHEMA.minimum + fraction * (FACE_SCHEMA.maximum - FACE_SCHEMA.minimum)


@given(fractions, st.floats(0, 3), st.booleans())
def test_the_photo_stays_the_photo(fraction: np.ndarray, gain: float, mirror: bool) -> None:
    photo = within_limits(fraction)
    result = adjusted(photo, photo, {"head": gain, "mouth": gain}, mirror)
    np.testing.assert_allclose(result, photo, atol=1e-4)


@given(fractions)
def test_mirroring_twice_gives_the_movement_back(fraction: np.ndarray) -> None:
    values = within_limits(fraction)
    once = adjusted(values, FACE_SCHEMA.rest, {}, mirror=True)
    np.testing.assert_allclose(adjusted(once, FACE_SCHEMA.rest, {}, mirror=True), values, atol=1e-4)


def test_less_of_an_expression_than_the_photo_has_stays_less() -> None:
    values = FACE_SCHEMA.vector({"mouthSmileLeft": -0.4, "jawOpen": -0.25})
    less = FACE_SCHEMA.named(adjusted(values, FACE_SCHEMA.rest, {"jaw": 2.0}, mirror=True))
    assert less["mouthSmileRight"] == pytest.approx(-0.4)
    assert less["jawOpen"] == pytest.approx(-0.5)


def test_a_mirror_changes_sides_and_turns_the_head_round() -> None:
    values = FACE_SCHEMA.vector(
        {"eyeBlinkLeft": 0.8, "jawRight": 0.3, "headYaw": 20, "headPitch": 5, "headX": -2}
    )
    mirrored = FACE_SCHEMA.named(adjusted(values, FACE_SCHEMA.rest, {}, mirror=True))
    assert mirrored["eyeBlinkRight"] == pytest.approx(0.8)
    assert mirrored["eyeBlinkLeft"] == 0
    assert mirrored["jawLeft"] == pytest.approx(0.3)
    assert (mirrored["headYaw"], mirrored["headPitch"], mirrored["headX"]) == (-20, 5, 2)


def test_a_gain_scales_the_movement_of_its_group_alone_within_the_limits() -> None:
    values = FACE_SCHEMA.vector({"mouthSmileLeft": 0.5, "mouthPucker": 0.9, "jawOpen": 0.5})
    origin = FACE_SCHEMA.vector({"mouthSmileLeft": 0.25})
    result = FACE_SCHEMA.named(adjusted(values, origin, {"mouth": 1.5}))
    assert result["mouthSmileLeft"] == pytest.approx(0.625)
    assert result["mouthPucker"] == 1
    assert result["jawOpen"] == 0.5


@given(fractions)
def test_without_gain_and_mirror_the_bytes_stay_the_same(fraction: np.ndarray) -> None:
    values = within_limits(fraction).astype(np.float32)
    assert adjusted(values, FACE_SCHEMA.rest, {"head": 1.0}).tobytes() == values.tobytes()
