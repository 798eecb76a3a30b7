"""Open eyes for photos of shut ones: the generator's where the photo shows none, and only there."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from photorig.worker.portraits.eyeball import Eyeballs
from photorig.worker.reenactment.open_eyes import with_open_eyes

from ..fakes import tiny_portrait
from ..portraits.test_eyes import (
    EYES,
    SIZE,
    SKIN,
    at_iris,
    looking,
    moved_eyes,
    opened,
    photo,
    shown,
)
from ..portraits.test_eyes import balls as balls  # a fixture
from .test_regional import SHIFTS, amounts

pytestmark = pytest.mark.weights("face-landmarker")

SHUT = opened(0.05)


def untuned(how_open: np.ndarray) -> Any:
    """A face whose generator draws `test_eyes.photo`, seen with these landmarks."""
    seen = SimpleNamespace(landmarks=how_open * SIZE)
    return SimpleNamespace(
        portrait=replace(tiny_portrait(), photo=photo()),
        generator=SimpleNamespace(synthesize=lambda *_: photo()[None]),
        net3d=SimpleNamespace(analyze_one=lambda _: seen),
    )


def eyes_of(own: Eyeballs | None, face: Any) -> Eyeballs | None:
    blink, offset = SHIFTS.deltas(amounts(eyeBlinkLeft=1.0)), np.zeros((256, 256, 3), np.float32)
    return with_open_eyes(own, face, blink, SHUT, EYES, offset)


def test_shut_eyes_open_onto_eyes() -> None:
    found = eyes_of(None, untuned(opened()))
    assert found is not None and found.known == (True, True)
    skin = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    picture = shown(found, skin, moved_eyes(opened(), SHUT))
    assert (at_iris(picture, opened(), dy=0.2).mean(1) < 110).all()
    assert (at_iris(picture, opened(), dx=0.85).mean(1) > 170).all()


def test_what_the_photo_shows_of_an_eye_is_kept(balls: Eyeballs) -> None:
    disc = balls.disc.copy()
    disc[1] = 0
    iris = np.full_like(balls.iris, 7)
    found = eyes_of(replace(balls, disc=disc, iris=iris), untuned(opened()))
    assert found is not None and found.known == (True, True)
    assert (found.iris[0] == 7).all() and not (found.iris[1] == 7).all()
    assert eyes_of(balls, None) is balls


def test_eyes_that_the_generator_cannot_open_stay_as_they_are() -> None:
    assert eyes_of(None, untuned(opened(0.3))) is None


def test_a_shut_eye_shows_nothing_of_it_while_it_only_looks(balls: Eyeballs) -> None:
    aside = SHUT + (looking(0.3, 0) - opened())
    picture = photo()
    np.testing.assert_array_equal(shown(balls, picture, moved_eyes(aside, SHUT)), picture)


def test_an_eye_that_the_photo_shows_is_never_another_one() -> None:
    blink, offset = SHIFTS.deltas(amounts(eyeBlinkLeft=1.0)), np.zeros((256, 256, 3), np.float32)
    assert with_open_eyes(None, untuned(opened()), blink, opened(), EYES, offset) is None
