"""Photos without colours stay without, and hair that a matte missed is found by its colour."""

from __future__ import annotations

import numpy as np

from photorig.worker.compositing.fine_matte import finer_matte
from photorig.worker.compositing.tone import tone_of

GREY = np.random.default_rng(2).integers(0, 256, (60, 80, 1)).repeat(3, 2).astype(np.uint8)
COLOURS = np.random.default_rng(2).integers(0, 256, (60, 80, 3)).astype(np.uint8)


def test_a_grey_photo_takes_grey_only() -> None:
    tone = tone_of(GREY)
    assert tone is not None
    toned = tone.applied(COLOURS)
    assert (toned.max(-1) == toned.min(-1)).all()
    np.testing.assert_allclose(toned[..., 0], COLOURS @ [0.299, 0.587, 0.114], atol=1)


def test_what_is_grey_already_stays_bit_for_bit() -> None:
    tone = tone_of(GREY)
    assert tone is not None
    np.testing.assert_array_equal(tone.applied(GREY), GREY)


def test_a_photo_with_colours_has_no_tone() -> None:
    faint = GREY.copy()
    faint[20:40, 20:40, 0] = np.minimum(faint[20:40, 20:40, 0] * 0.7, 255)
    assert tone_of(COLOURS) is None
    assert tone_of(faint) is None


def test_a_tinted_photo_keeps_its_tint() -> None:
    sepia = np.clip(GREY * [1.05, 0.95, 0.75], 0, 255).astype(np.uint8)
    tone = tone_of(sepia)
    assert tone is not None
    assert np.abs(tone.applied(sepia).astype(int) - sepia).mean() < 2


def person() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A dark person with a strand of hair before a bright wall, their matte without the strand, and
    where the strand is."""
    photo = np.full((200, 200, 3), 210, np.uint8)
    photo[60:, 60:140] = 40
    strand = (slice(53, 60), slice(95, 99))
    photo[strand] = 40
    matte = np.zeros((200, 200), np.float32)
    matte[60:, 60:140] = 1
    return photo, matte, np.array([56, 97])


def test_a_strand_of_hair_is_found() -> None:
    photo, matte, strand = person()
    finer = finer_matte(photo, matte, 200)
    assert matte[tuple(strand)] == 0
    assert finer[tuple(strand)] > 0.8
    assert finer[56, 75] < 0.05, "the wall beside it is no hair"
    assert finer[:40].max() == 0
    assert finer[80:, 70:130].min() > 0.98


def test_where_colours_do_not_tell_the_matte_stays() -> None:
    _, matte, _ = person()
    finer = finer_matte(np.full((200, 200, 3), 90, np.uint8), matte, 200)
    assert np.abs(finer - matte)[:, :55].max() < 0.05
    assert np.abs(finer - matte).mean() < 0.02
