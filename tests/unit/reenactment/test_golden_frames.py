"""Frames stay as they are: bit for bit on the kind of computer that made the golden ones, and but
for rounding on any other. Where a change is meant, golden_frames.py renews them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from ..golden_frames import (
    HASHES,
    SHEET,
    SHOWN,
    computer,
    digest,
    golden_portrait,
    golden_renderer,
    requests,
    shown,
)

pytestmark = pytest.mark.weights

_LEVELS = 2
"""By which averages of 4 × 4 pixels or more may differ where processors round otherwise."""


@pytest.fixture(scope="module")
def frames() -> dict[str, np.ndarray]:
    portrait, renderer = golden_portrait(), golden_renderer()
    return {name: renderer.render(portrait, asked) for name, asked in requests(portrait)}


GOLDEN = json.loads(HASHES.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", GOLDEN["frames"])
def test_a_golden_frame_looks_as_it_did(frames: dict[str, np.ndarray], name: str) -> None:
    place = list(GOLDEN["frames"]).index(name) * SHOWN
    golden = np.asarray(Image.open(SHEET))[:, place : place + SHOWN]
    assert np.abs(shown(frames[name]).astype(int) - golden).max() <= _LEVELS


@pytest.mark.parametrize("name", GOLDEN["frames"])
@pytest.mark.skipif(computer() != GOLDEN["computer"], reason="this computer rounds in another way")
def test_a_golden_frame_is_bit_for_bit_as_it_was(frames: dict[str, np.ndarray], name: str) -> None:
    assert digest(frames[name]) == GOLDEN["frames"][name]


def test_the_golden_frames_differ() -> None:
    assert len(set(GOLDEN["frames"].values())) == len(GOLDEN["frames"]) == 8
