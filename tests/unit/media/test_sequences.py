"""Pictures that are a film: which they are, in which order, and when each is seen."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photorig.shared.errors import InputError
from photorig.worker.media.sequences import open_footage, sequence_files


def put(folder: Path, *names: str) -> None:
    for number, name in enumerate(names, start=1):
        Image.fromarray(np.full((8, 8, 3), 10 * number, np.uint8)).save(folder / name)


def test_a_folder_is_its_pictures_in_the_order_that_people_count(tmp_path: Path) -> None:
    put(tmp_path, "a2.png", "a10.png", "a1.png")
    (tmp_path / "notes.txt").write_text("no picture")
    assert [file.name for file in sequence_files(tmp_path)] == ["a1.png", "a2.png", "a10.png"]


@pytest.mark.parametrize("pattern", ["a_####.png", "a_#.png", "a_%04d.png", "a_%d.png"])
def test_a_pattern_is_the_pictures_that_are_named_like_it(tmp_path: Path, pattern: str) -> None:
    put(tmp_path, "a_0001.png", "a_0003.png", "b_0001.png", "a_0002.jpg", "a_x.png")
    files = sequence_files(tmp_path / pattern)
    assert [file.name for file in files] == ["a_0001.png", "a_0003.png"]


def test_numbers_that_are_left_out_are_gaps_in_time(tmp_path: Path) -> None:
    put(tmp_path, "s_0010.png", "s_0011.png", "s_0015.png")
    footage = open_footage(tmp_path, Fraction(25))
    assert [round(each.time or 0, 3) for each in footage.pictures] == [0.0, 0.04, 0.2]
    assert (footage.total, footage.rate) == (3, 25)


def test_a_damaged_picture_shows_nobody_and_the_rest_goes_on(tmp_path: Path) -> None:
    put(tmp_path, "a1.png", "a2.png", "a3.png")
    (tmp_path / "a2.png").write_bytes(b"no picture at all")
    footage = open_footage(tmp_path / "a#.png", Fraction(24))
    pictures = [each.picture for each in footage.pictures]
    assert [int(picture.max()) for picture in pictures] == [10, 0, 30]
    assert footage.unreadable == ["a2.png"]


def test_a_files_own_name_is_no_pattern(tmp_path: Path) -> None:
    put(tmp_path, "take#3.png")
    assert sequence_files(tmp_path / "take#3.png") == [tmp_path / "take#3.png"]


@pytest.mark.parametrize("name", ["", "a_###.png", "nowhere/a_##.png"])
def test_where_there_is_no_picture_it_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        open_footage(tmp_path / name)
