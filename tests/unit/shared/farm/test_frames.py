"""Frame numbers as farms write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photorig.shared.errors import InputError
from photorig.shared.farm.frames import format_frames, parse_frames, runs


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("7", [7]),
        ("1-4", [1, 2, 3, 4]),
        ("1..4", [1, 2, 3, 4]),
        ("-3--1", [-3, -2, -1]),
        ("5, 1-3,2", [1, 2, 3, 5]),
        ("1,3,7-13:3", [1, 3, 7, 10, 13]),
    ],
)
def test_ranges_of_openjd_blender_and_flamenco_are_read(text: str, frames: list[int]) -> None:
    assert parse_frames(text) == frames


@pytest.mark.parametrize("text", ["", "a", "1-", "4-1", "1-9:0", "1-999999999", "1;2", "1.5"])
def test_what_says_no_frames_is_a_sentence(text: str) -> None:
    with pytest.raises(InputError):
        parse_frames(text)


@given(st.sets(st.integers(-500, 500), min_size=1))
def test_what_is_written_is_read_again(frames: set[int]) -> None:
    assert parse_frames(format_frames(frames)) == sorted(frames)
    assert sum(last - first + 1 for first, last in runs(frames)) == len(frames)
