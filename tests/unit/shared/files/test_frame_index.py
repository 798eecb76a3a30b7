"""The journal of finished frames: what it says is on the disk, whatever ended the program."""

from __future__ import annotations

import errno
import gzip
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.shared.files.frame_index import DAMAGED_NAME, INDEX_NAME, FrameIndex
from photorig.shared.files.provenance import insert_into_png
from photorig.shared.files.request_mark import read_mark

CORPUS = Path(__file__).parents[3] / "fuzz" / "corpus"


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


# --- a damaged journal

KEY = "5e" * 32


def picture(suffix: str) -> bytes:
    _, content = cv2.imencode(suffix, np.full((20, 30, 3), 127, np.uint8))
    return bytes(content.tobytes())


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """A folder with two finished frames and a film of another program."""
    index = FrameIndex(tmp_path)
    index.keep("a.png", KEY, picture(".png"))
    index.keep("b.jpg", KEY, picture(".jpg"))
    (tmp_path / "c.png").write_bytes(picture(".png"))
    return tmp_path


@pytest.mark.parametrize("name", ["a.png", "b.jpg"])
def test_a_picture_says_itself_which_request_it_answers(shot: Path, name: str) -> None:
    content = (shot / name).read_bytes()
    assert read_mark(shot / name) == (KEY, len(content))
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    plain = cv2.imdecode(np.frombuffer(picture(name[1:]), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(pixels, plain)
    if name == "a.png":
        assert insert_into_png(content)
    for cut in (1, 30, len(content) - 40, len(content)):
        (shot / "cut").write_bytes(content[: len(content) - cut])
        assert read_mark(shot / "cut") is None
    assert read_mark(shot / "c.png") is None


DAMAGE = {
    "nested": b'{"a":' * 3000 + b"\n",
    "endless": b'{"file": "a.png", "request": "' + KEY.encode() + b'", "bytes": 1e999}\n',
    "huge": b'{"file": "a.png", "request": "x", "bytes": ' + b"9" * 5000 + b"}\n",
    "infinite": b'{"file": "a.png", "request": "x", "bytes": Infinity}\n',
    "elsewhere": b'{"file": "../../x.png", "request": "x", "bytes": 4}\n',
    "binary": bytes(range(256)) * 20,
    "zeros": bytes(5000),
    "another program's": b'[]\n7\nnull\n{"file": 1}\n',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_journal_is_set_aside_and_made_again(shot: Path, damage: bytes) -> None:
    (shot / INDEX_NAME).write_bytes(damage)
    index = FrameIndex(shot)
    assert index.has("a.png", KEY)
    assert index.has("b.jpg", KEY)
    assert (shot / DAMAGED_NAME).read_bytes() == damage
    index.keep("d.png", KEY, picture(".png"))
    lines = (shot / INDEX_NAME).read_bytes().splitlines()
    assert [json.loads(line)["file"] for line in lines] == ["a.png", "b.jpg", "d.png"]
    assert FrameIndex(shot).has("d.png", KEY)


def test_lines_that_can_be_read_stay_when_others_are_damaged(shot: Path) -> None:
    journal = shot / INDEX_NAME
    FrameIndex(shot).keep("d.exr", KEY, b"pixels")
    journal.write_bytes(b"\xff" * 300 + b"\n" + journal.read_bytes())
    assert FrameIndex(shot).has("d.exr", KEY)
    assert (shot / DAMAGED_NAME).exists()


@pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")
@pytest.mark.parametrize("kind", ["pipe", "zero", "folder"])
def test_a_journal_that_is_no_file_is_set_aside(shot: Path, kind: str) -> None:
    journal = shot / INDEX_NAME
    journal.unlink()
    if kind == "pipe":
        os.mkfifo(journal)
    elif kind == "zero":
        journal.symlink_to("/dev/zero")
    else:
        journal.mkdir()
    index = FrameIndex(shot)
    assert index.has("a.png", KEY)
    index.keep("d.png", KEY, picture(".png"))
    assert FrameIndex(shot).has("d.png", KEY)


def test_without_a_journal_nothing_is_finished(shot: Path) -> None:
    (shot / INDEX_NAME).unlink()
    assert not FrameIndex(shot).has("a.png", KEY)


@pytest.mark.parametrize("name", ["nested.gz", "infinite"])
def test_journals_that_stopped_a_render_once_do_so_no_more(tmp_path: Path, name: str) -> None:
    content = (CORPUS / "journal" / name).read_bytes()
    content = gzip.decompress(content) if name.endswith(".gz") else content
    (tmp_path / INDEX_NAME).write_bytes(content)
    index = FrameIndex(tmp_path)
    index.keep("a.png", KEY, picture(".png"))
    assert FrameIndex(tmp_path).has("a.png", KEY)
