"""The journal of finished frames: what it says is on the disk, whatever ended the program."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from photorig.shared.errors import InputError
from photorig.shared.frame_index import INDEX_NAME, FrameIndex


def test_a_finished_file_is_known_to_the_next_program_at_once(tmp_path: Path) -> None:
    FrameIndex(tmp_path).keep("shot_0001.exr", "key", b"pixels")
    again = FrameIndex(tmp_path)
    assert again.has("shot_0001.exr", "key")
    assert not again.has("shot_0001.exr", "another request")
    assert not again.has("shot_0002.exr", "key")


def test_a_file_that_was_changed_or_removed_is_not_finished(tmp_path: Path) -> None:
    index = FrameIndex(tmp_path)
    for name in ("a.png", "b.png"):
        index.keep(name, "key", b"pixels")
    (tmp_path / "a.png").write_bytes(b"other pixels")
    (tmp_path / "b.png").unlink()
    assert not index.has("a.png", "key")
    assert not index.has("b.png", "key")


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_line_that_was_cut_short_costs_its_own_frame_only(tmp_path: Path, cut: int) -> None:
    index = FrameIndex(tmp_path)
    for number in range(3):
        index.keep(f"{number}.png", "key", b"pixels")
    journal = tmp_path / INDEX_NAME
    journal.write_bytes(journal.read_bytes()[:-cut])
    again = FrameIndex(tmp_path)
    # Without its last line feed alone, the line is still readable.
    assert [again.has(f"{number}.png", "key") for number in range(3)] == [True, True, cut == 1]
    again.keep("2.png", "key", b"pixels")
    again.keep("3.png", "key", b"pixels")
    third = FrameIndex(tmp_path)
    assert all(third.has(f"{number}.png", "key") for number in range(4))


def test_lines_of_another_program_or_version_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / INDEX_NAME).write_bytes(b'[]\n7\n\xff\xfe\n{"file": 1}\nnull\n')
    index = FrameIndex(tmp_path)
    index.keep("a.png", "key", b"pixels")
    assert FrameIndex(tmp_path).has("a.png", "key")


def test_a_folder_that_is_rendered_again_and_again_keeps_a_short_journal(tmp_path: Path) -> None:
    for take in range(30):
        index = FrameIndex(tmp_path)
        for number in range(20):
            index.keep(f"{number}.png", f"take {take}", b"pixels")
    assert len((tmp_path / INDEX_NAME).read_bytes().splitlines()) < 300
    assert all(FrameIndex(tmp_path).has(f"{number}.png", "take 29") for number in range(20))


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    index = FrameIndex(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="is full"):
        index.keep("a.png", "key", b"pixels")
    assert not list(tmp_path.iterdir())
